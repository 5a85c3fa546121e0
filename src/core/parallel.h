// Runs loops on several threads. Decides whether threads pay off and how many there are, combines
// partial results in a fixed order, and passes exceptions on.
//
// A loop throws what a plain loop would have thrown: when several indices throw, the exception of
// the lowest one is rethrown after the loop, on any number of threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/forked.h"

namespace pqw {

// The indices begin .. end-1, range number `index` of a division.
struct IndexRange {
  std::size_t index;
  std::size_t begin;
  std::size_t end;
};

// The indices 0 .. n-1 in ranges that follow each other. It does not depend on the threads, so that
// sums over its ranges do not either.
struct Division {
  std::size_t n;
  std::size_t n_ranges;
  std::size_t length;  // of every range but the last; 0: all are nearly equal

  static Division by_length(std::size_t n, std::size_t length) {
    return {n, (n + length - 1) / length, length};
  }
  static Division by_count(std::size_t n, std::size_t n_ranges) { return {n, n_ranges, 0}; }

  IndexRange operator[](std::size_t i) const {
    if (length == 0) return {i, n * i / n_ranges, n * (i + 1) / n_ranges};
    return {i, i * length, std::min(n, (i + 1) * length)};
  }
};

// One of `count` threads that take the same steps, each step divided among them.
struct Worker {
  std::size_t index;
  std::size_t count;

  // This worker's part of 0 .. n-1: the same one in every step of that n.
  IndexRange share(std::size_t n) const { return Division::by_count(n, count)[index]; }

  // Returns after all workers have called it.
  void wait() const {
    if (count == 1) return;
#pragma omp barrier
  }
};

// The threads of a loop: all that OpenMP has, or the calling one alone.
class Workers {
 public:
  // Work that pays for threads, in multiply-adds of floats in a simple loop.
  static constexpr double kEnoughWork = 1 << 18;

  // All threads if n elements, each as long as `cost` multiply-adds, are enough work. A loop inside
  // of another one runs on the calling thread, as do loops after a fork (core/forked.h).
  Workers(std::size_t n, double cost) : Workers(static_cast<double>(n) * cost >= kEnoughWork) {}
  explicit Workers(bool all)
      : count_(all && !omp_in_parallel() && !is_forked_thread()
                   ? static_cast<std::size_t>(omp_get_max_threads())
                   : 1) {}

  std::size_t count() const { return count_; }

  // Calls fn(i) or fn(i, worker) for each i < n, worker < count(). A worker has adjacent indices,
  // the same ones in every loop of that n.
  template <class Fn>
  void for_each(std::size_t n, const Fn& fn) const {
    FirstError error;
    run(n > 1, [&](const Worker& me) {
      error.keep(me.index, [&] {
        const IndexRange range = me.share(n);
        for (std::size_t i = range.begin; i < range.end; ++i) {
          if constexpr (std::is_invocable_v<Fn, std::size_t, std::size_t>) {
            fn(i, me.index);
          } else {
            fn(i);
          }
        }
      });
    });
    error.rethrow();
  }

  // Calls fn(range, worker) for each range. A worker that is done with one takes the next.
  template <class Fn>
  void for_ranges(const Division& division, const Fn& fn) const {
    FirstError error;
    std::atomic<std::size_t> next = 0;
    run(division.n_ranges > 1, [&](const Worker& me) {
      for (std::size_t i; (i = next++) < division.n_ranges;) {
        // After an error no range is begun: all lower ones have been.
        if (!error.keep(i, [&] { fn(division[i], me.index); })) next = division.n_ranges;
      }
    });
    error.rethrow();
  }

  // Calls add(range, worker, partial) for each range, with a copy of `zero`, and then
  // combine(sum, partial) in the order of the ranges; the first one is the sum to begin with.
  template <class T, class Add, class Combine>
  T reduce_in_order(const Division& division, const T& zero, const Add& add,
                    const Combine& combine) const {
    if (division.n_ranges == 0) return zero;
    std::vector<T> partial(division.n_ranges);
    for_ranges(division, [&](const IndexRange& range, std::size_t worker) {
      T own = zero;
      add(range, worker, own);
      partial[range.index] = std::move(own);
    });
    for (std::size_t i = 1; i < partial.size(); ++i) combine(partial[0], partial[i]);
    return std::move(partial[0]);
  }

  // Calls steps(worker) on each thread, for loops that follow each other without a new start of the
  // threads. REQUIRES: `steps` does not throw, and calls Worker::wait as often in all workers.
  template <class Steps>
  void together(const Steps& steps) const {
    run(true, steps);
  }

 private:
  class FirstError {
   public:
    template <class Work>
    bool keep(std::size_t index, const Work& work) noexcept {
      try {
        work();
        return true;
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (index < index_) error_ = std::current_exception();
        index_ = std::min(index_, index);
        return false;
      }
    }
    void rethrow() const {
      if (error_) std::rethrow_exception(error_);
    }

   private:
    std::mutex mutex_;
    std::exception_ptr error_;
    std::size_t index_ = static_cast<std::size_t>(-1);
  };

  template <class Body>
  void run(bool divisible, const Body& body) const {
    if (!divisible || count_ == 1) return body(Worker{0, 1});
#pragma omp parallel num_threads(count_)
    body(Worker{static_cast<std::size_t>(omp_get_thread_num()),
                static_cast<std::size_t>(omp_get_num_threads())});
  }

  std::size_t count_;
};

}  // namespace pqw
