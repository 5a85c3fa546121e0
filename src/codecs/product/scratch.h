// Scratch memory for one call. It is kept for the next call, because mapping fresh pages would take
// longer than multiplying.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <vector>

namespace pqw {

struct FreeBytes {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using AlignedBytes = std::unique_ptr<std::byte[], FreeBytes>;

// Memory aligned to 64 bytes. One megabyte or more lies on huge pages if the system has them:
// with small pages, finding the pages of the codes takes as long as reading the codes.
AlignedBytes allocate_aligned(std::size_t n_bytes);

// n uninitialised values, aligned to 64 bytes. A thread must release them in reverse order, like
// local variables. The caller of a parallel loop takes them for all workers, because only its
// memory is kept.
template <class T>
class Scratch;

class ScratchPool {
 private:
  template <class T>
  friend class Scratch;

  struct Slot {
    AlignedBytes memory;
    std::size_t n_bytes = 0;
  };

  static ScratchPool& of_this_thread() {
    thread_local ScratchPool pool;
    return pool;
  }
  std::byte* take(std::size_t n_bytes) {
    if (depth_ == slots_.size()) slots_.emplace_back();
    Slot& slot = slots_[depth_];
    if (slot.n_bytes < n_bytes) {
      slot.n_bytes = 0;
      slot.memory.reset();
      slot.memory = allocate_aligned(n_bytes);
      slot.n_bytes = n_bytes;
    }
    ++depth_;
    return slot.memory.get();
  }
  void give_back() { --depth_; }

  std::vector<Slot> slots_;
  std::size_t depth_ = 0;
};

template <class T>
class Scratch {
 public:
  explicit Scratch(std::size_t n)
      : data_(reinterpret_cast<T*>(ScratchPool::of_this_thread().take(n * sizeof(T)))) {}
  ~Scratch() { ScratchPool::of_this_thread().give_back(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  T* data() const { return data_; }
  T& operator[](std::size_t i) const { return data_[i]; }

 private:
  T* data_;
};

}  // namespace pqw
