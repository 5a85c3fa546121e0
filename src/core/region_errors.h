// Catches exceptions in the threads of an OpenMP region: they must not leave the region.
#pragma once

#include <exception>
#include <mutex>

namespace pqw {

// Wrap what may throw (for example bad_alloc) in run(). Call rethrow() after the region: it throws
// the first exception that run() caught.
class RegionErrors {
 public:
  template <class Work>
  void run(const Work& work) noexcept {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!first_) first_ = std::current_exception();
    }
  }

  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr first_;
};

}  // namespace pqw
