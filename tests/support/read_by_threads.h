// Several threads that read at the same time.
#pragma once

#include <barrier>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace pqw::test {

// Calls read(thread, index) for each index below n in each thread, `rounds` times; threads start
// together, the even ones at the same index, the odd ones each at another.
inline void read_by_threads(std::size_t n_threads, std::size_t n, std::size_t rounds,
                            const std::function<void(std::size_t, std::size_t)>& read) {
  std::barrier start(static_cast<std::ptrdiff_t>(n_threads));
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < n_threads; ++t) {
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      const std::size_t first = t % 2 == 0 ? 0 : t;
      for (std::size_t i = 0; i < rounds * n; ++i) read(t, (first + i) % n);
    });
  }
}

}  // namespace pqw::test
