// The E-step alone, against the peak of the processor, and the share of the M-step.
#include <time.h>

#include "bench/em.h"
#include "codecs/pq/train/assign.h"
#include "codecs/pq/train/update.h"
#include "timing/clock.h"

namespace pqw::bench {
namespace {

double thread_cpu_s() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class Function>
double seconds(const Function& function) {
  const double start = thread_cpu_s();
  function();
  return thread_cpu_s() - start;
}

}  // namespace

nlohmann::ordered_json measure_estep(const Job& job) {
  constexpr std::size_t kRounds = 5;
  constexpr std::size_t kPeakSteps = 10'000'000;
  const std::vector<float> values = read_raw<float>(job.blocks_path);
  const BlockSpan blocks{values, job.block_size};
  const std::size_t stride = blocks.count() / job.n_centroids;
  std::vector<float> codebook;
  for (std::size_t k = 0; k < job.n_centroids; ++k) {
    const float* block = blocks[k * stride];
    codebook.insert(codebook.end(), block, block + job.block_size);
  }
  std::vector<std::uint16_t> codes(blocks.count());
  const Peak peak = best_peak();
  volatile float sink = 0;
  const double macs = static_cast<double>(blocks.count() * codebook.size());
  assign(blocks, codebook, codes);  // touches all memory
  std::vector<double> rates;
  std::vector<double> peaks;
  std::vector<double> shares;
  for (std::size_t i = 0; i < kRounds; ++i) {
    double peak_macs = 0;
    const double peak_s = seconds([&] { peak_macs = peak.multiply_add(kPeakSteps, &sink); });
    const double e_step_s = seconds([&] { assign(blocks, codebook, codes); });
    std::vector<float> means = codebook;
    const double m_step_s = seconds([&] { update_centroids(blocks, codes, means); });
    peaks.push_back(1e-9 * peak_macs / peak_s);
    rates.push_back(1e-9 * macs / e_step_s);
    shares.push_back(m_step_s / (e_step_s + m_step_s));
  }
  return {{"gmac_per_s", timing::median(rates)},
          {"peak_gmac_per_s", timing::median(peaks)},
          {"peak_instructions", peak.instructions},
          {"fraction", timing::median(rates) / timing::median(peaks)},
          {"m_step_share", timing::median(shares)},
          {"rounds", kRounds}};
}

}  // namespace pqw::bench
