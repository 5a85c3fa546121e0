// Quantizes a matrix by a given step, one chain of rows after the other.
#include "codecs/tcq/train/quantize.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"

namespace pqw::tcq {
namespace {

constexpr double kTrellisCost = 40;  // of a weight
constexpr double kPriorTokens = 4;   // of the frequencies of all classes, in those of one

// 1 / step; 0 if the step is too small for floats.
double inverse(double step) { return step > 0 ? 1 / step : 0; }

float mean_of(const TcqWeight& weight, std::size_t c) {
  return weight.means.empty() ? 0 : weight.means[c];
}

// Bits in multiples of 2^-10, so that they are the same with any library of logarithms.
double bits_of_share(double share) { return std::nearbyint(-std::log2(share) * 1024) / 1024; }

class ChainOfRows {
 public:
  ChainOfRows(ConstMatrix w, const Model* model, TcqWeight& weight)
      : w_(w), model_(model), weight_(weight) {}

  void run(std::size_t index, const Rates* rates) {
    const std::size_t n_groups = groups_per_chain(w_.cols());
    const std::size_t first = index * n_groups * kLanes;
    const std::size_t end = std::min(w_.rows(), first + n_groups * kLanes);
    const std::size_t steps = (end - first + kLanes - 1) / kLanes * w_.cols();
    chain_.weights.assign(steps * kLanes, 0.0f);
    if (rates != nullptr) chain_.classes.assign(steps * kLanes, 0);
    for (std::size_t r = first; r < end; ++r) fill_row(r, offset_of(first, r), rates != nullptr);
    viterbi_.run(chain_, rates);
    for (std::size_t r = first; r < end; ++r) {
      const std::int16_t* from = chain_.values.data() + offset_of(first, r);
      std::int16_t* to = weight_.values.data() + r * w_.cols();
      for (std::size_t c = 0; c < w_.cols(); ++c) to[c] = from[c * kLanes];
    }
  }

 private:
  std::size_t offset_of(std::size_t first, std::size_t row) const {
    return (row - first) / kLanes * kLanes * w_.cols() + row % kLanes;
  }

  void fill_row(std::size_t r, std::size_t offset, bool rated) {
    row_in_steps(w_.row(r), r, weight_, kLanes, chain_.weights.data() + offset);
    if (rated) classes_of_row(*model_, r, w_.cols(), kLanes, chain_.classes.data() + offset);
  }

  ConstMatrix w_;
  const Model* model_;
  TcqWeight& weight_;
  Chain chain_;
  Viterbi viterbi_;
};

}  // namespace

Rates rates_of(const Counts& counts, double lambda) {
  std::array<std::array<double, kTokens>, 2> all = {};
  for (const auto& tables : counts) {
    for (std::size_t q = 0; q < 2; ++q) {
      for (std::size_t t = 0; t < kTokens; ++t) all[q][t] += static_cast<double>(tables[q][t]);
    }
  }
  Rates rates(counts.size());
  for (std::size_t q = 0; q < 2; ++q) {
    double of_all = 0;
    for (double& n : all[q]) of_all += n += 1.0 / 64;
    for (std::size_t k = 0; k < counts.size(); ++k) {
      double total = kPriorTokens;
      for (const std::uint64_t n : counts[k][q]) total += static_cast<double>(n);
      for (unsigned i = 0; i < kRatedIndices; ++i) {
        const unsigned token = token_of(i);
        const double n =
            static_cast<double>(counts[k][q][token]) + kPriorTokens * all[q][token] / of_all;
        const unsigned raw = (i > 0 ? 1 : 0) + (token < kDirect ? 0 : raw_bits(token));
        rates[k][q][i] = static_cast<float>(lambda * (bits_of_share(n / total) + raw));
      }
    }
  }
  return rates;
}

void row_in_steps(std::span<const float> row, std::size_t r, const TcqWeight& weight,
                  std::size_t stride, float* out) {
  const double scale = inverse(weight.row_step(r));
  for (std::size_t c = 0; c < row.size(); ++c) {
    const double left = double{row[c]} - mean_of(weight, c);
    out[c * stride] = std::clamp(static_cast<float>(left * scale), -kMostWeight, kMostWeight);
  }
}

void classes_of_row(const Model& model, std::size_t r, std::size_t n_cols, std::size_t stride,
                    std::uint8_t* out) {
  const Contexts& contexts = model.contexts;
  const int level = contexts.level_of_row(model.drops.empty() ? std::uint8_t{0} : model.drops[r]);
  const std::int8_t* columns =
      model.columns.empty() ? nullptr : model.columns.data() + r / kLanes * n_cols;
  for (std::size_t c = 0; c < n_cols; ++c) {
    const int k = contexts.class_of(level, columns == nullptr ? 0 : columns[c]);
    out[c * stride] = static_cast<std::uint8_t>(k);
  }
}

void quantize(ConstMatrix w, const Model* model, double lambda, TcqWeight& weight) {
  weight.values.resize(w.rows() * w.cols());
  Rates rates;
  const bool rated = model != nullptr && lambda > 0;
  if (rated) rates = rates_of(model->counts, lambda);
  const std::size_t rows_per_chain = kLanes * groups_per_chain(w.cols());
  const Workers workers(w.rows() * w.cols(), kTrellisCost);
  std::vector<ChainOfRows> chains(workers.count(), {w, model, weight});
  workers.for_ranges(Division::by_length((w.rows() + rows_per_chain - 1) / rows_per_chain, 1),
                     [&](const IndexRange& range, std::size_t worker) {
                       chains[worker].run(range.begin, rated ? &rates : nullptr);
                     });
}

double least_step(ConstMatrix w, const TcqWeight& weight) {
  double most = 0;
  for (std::size_t r = 0; r < w.rows(); ++r) {
    double largest = 0;
    for (std::size_t c = 0; c < w.cols(); ++c) {
      largest = std::max(largest, std::abs(double{w(r, c)} - mean_of(weight, c)));
    }
    const double step = weight.fineness.empty() ? 1 : std::exp2(-weight.fineness[r] / 2.0);
    most = std::max(most, largest / step);
  }
  return most / double{kMostWeight};
}

std::vector<GainSums> gain_sums(ConstMatrix w, const TcqWeight& weight) {
  std::vector<GainSums> sums(w.rows());
  Workers(w.rows() * w.cols(), 4).for_each(w.rows(), [&](std::size_t r) {
    const double step = weight.row_step(r);
    const std::int16_t* values = weight.values.data() + r * w.cols();
    for (std::size_t c = 0; c < w.cols(); ++c) {
      const double original = double{w(r, c)} - mean_of(weight, c), v = step * values[c];
      sums[r].add({original * original, original * v, v * v});
    }
  });
  return sums;
}

}  // namespace pqw::tcq
