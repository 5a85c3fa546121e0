// Exceptions in the threads of an OpenMP region, which they must not leave.
#pragma once

#include <exception>
#include <mutex>

namespace pqw {

// The threads do by `run` what may throw, as where memory is missing; behind the region, `rethrow`
// throws the first exception that there was.
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
