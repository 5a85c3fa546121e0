// How many threads the tool works with.
#include "pqw/threads.h"

#include <omp.h>

#include <algorithm>
#include <latch>
#include <system_error>
#include <thread>
#include <vector>

namespace pqw::tool {

std::size_t creatable_threads(std::size_t most) {
  std::vector<std::thread> threads;
  threads.reserve(most);
  std::latch all_started(1);
  try {
    while (threads.size() < most) threads.emplace_back([&] { all_started.wait(); });
  } catch (const std::system_error&) {  // the limits of the machine, a container or the user
  }
  all_started.count_down();
  for (std::thread& thread : threads) thread.join();
  return threads.size();
}

void use_threads(std::size_t n_threads) {
  omp_set_max_active_levels(1);
  omp_set_num_threads(static_cast<int>(1 + creatable_threads(n_threads - 1)));
}

void start_openmp_threads() {
#pragma omp parallel
  {}
}

std::size_t default_threads() {
  constexpr int kMost = 1024;
  return static_cast<std::size_t>(std::clamp(omp_get_max_threads(), 1, kMost));
}

}  // namespace pqw::tool
