// The number of threads that the tool uses.
#include "timing/threads.h"

#include <omp.h>
#include <pthread.h>

#include <algorithm>
#include <latch>
#include <vector>

namespace pqw::timing {
namespace {

constexpr std::size_t kMostReaders = 3;  // eval reads three files

void* wait_for(void* latch) {
  static_cast<std::latch*>(latch)->wait();
  return nullptr;
}

}  // namespace

std::size_t creatable_threads(std::size_t most) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kThreadStackBytes);
  std::latch all_started(1);
  std::vector<pthread_t> threads(most);
  std::size_t n = 0;
  while (n < most && ::pthread_create(&threads[n], &attributes, wait_for, &all_started) == 0) ++n;
  all_started.count_down();
  for (std::size_t i = 0; i < n; ++i) ::pthread_join(threads[i], nullptr);
  ::pthread_attr_destroy(&attributes);
  return n;
}

void use_threads(std::size_t n_threads) {
  omp_set_max_active_levels(1);
  if (n_threads > 1) {
    const std::size_t n = creatable_threads(n_threads - 1 + kMostReaders);
    n_threads = 1 + n - std::min(n, kMostReaders);
  }
  omp_set_num_threads(static_cast<int>(n_threads));
}

void start_openmp_threads() {
#pragma omp parallel
  {}
}

std::size_t default_threads() {
  constexpr int kMost = 1024;
  return static_cast<std::size_t>(std::clamp(omp_get_max_threads(), 1, kMost));
}

}  // namespace pqw::timing
