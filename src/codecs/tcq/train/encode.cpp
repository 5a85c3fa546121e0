// Encoding by trellis-coded quantization: means, scales of rows, the step, the gain.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "codecs/float_range.h"
#include "codecs/tcq/train/feedback.h"
#include "codecs/tcq/train/quantize.h"
#include "codecs/train/fields.h"
#include "codecs/train/gain.h"
#include "codecs/train/input_metric.h"
#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/core/convert.h"
#include "pqw/core/output_error.h"

namespace pqw {
namespace {

using tcq::Model;

constexpr std::size_t kFewestScaledColumns = 8;
constexpr double kMeansPay = 30;  // share of energy in means times rows
constexpr double kCoarse = 1.1;   // step / rms, above which lambda must be small: tables and
constexpr double kMostCoarseLambda = 0.2;  // decisions would make each other all zeros
constexpr double kMostStep = 8;            // in units of the root mean square
constexpr std::size_t kSampledWeights = std::size_t{1} << 20;

std::vector<float> means_of(ConstMatrix w, TcqMeans asked) {
  if (asked == TcqMeans::kOff || w.rows() == 0) return {};
  std::vector<double> sums(w.cols());
  double energy = 0;
  for (std::size_t r = 0; r < w.rows(); ++r) {
    for (std::size_t c = 0; c < w.cols(); ++c) {
      sums[c] += w(r, c);
      energy += double{w(r, c)} * w(r, c);
    }
  }
  const auto n_rows = static_cast<double>(w.rows());
  std::vector<float> means;
  double of_means = 0;
  for (const double sum : sums) {
    means.push_back(static_cast<float>(sum / n_rows));
    of_means += sum * sum / n_rows;
  }
  if (asked == TcqMeans::kAuto && !(of_means * n_rows > kMeansPay * energy)) return {};
  std::vector<std::byte> bytes(means.size() * size_in_bytes(DType::kBF16));
  from_float(means, DType::kBF16, bytes);
  to_float(bytes, DType::kBF16, means);
  return means;
}

// Sums of squares of the rows of w without the means.
std::vector<double> energies_of(ConstMatrix w, const TcqWeight& weight) {
  std::vector<double> energies(w.rows());
  for (std::size_t r = 0; r < w.rows(); ++r) {
    for (std::size_t c = 0; c < w.cols(); ++c) {
      const double left = double{w(r, c)} - (weight.means.empty() ? 0 : weight.means[c]);
      energies[r] += left * left;
    }
  }
  return energies;
}

// The fineness of each row, relative to the row of the highest energy; none if all are alike.
std::vector<std::uint8_t> fineness_of(const std::vector<double>& energies, double highest) {
  std::vector<std::uint8_t> fineness;
  for (const double energy : energies) {
    double ratio = energy > 0 ? highest / energy : std::numeric_limits<double>::infinity();
    std::uint8_t fine = 0;  // 2^fine <= ratio * sqrt 2, the fineness in octaves of energy
    for (ratio *= std::sqrt(2.0); ratio >= 2 && fine < TcqWeight::kMostFineness; ratio /= 2) ++fine;
    fineness.push_back(fine);
  }
  const bool alike = std::ranges::all_of(fineness, [](std::uint8_t fine) { return fine == 0; });
  return alike ? std::vector<std::uint8_t>() : fineness;
}

// A matrix to be quantized, and what does not depend on the step.
struct Task {
  ConstMatrix w;
  TcqWeight weight;  // without values and step
  double unit = 0;   // the step of the weight for one root mean square
  double least = 0;  // step
  double lambda = 0;
  const tcq::Feedback* feedback = nullptr;
  std::optional<Model> model = {};  // of the last values

  double bits() const {
    constexpr double kStates = 8 * 32, kStep = 32, kMean = 16;
    return model->bits + kStates + kStep + kMean * static_cast<double>(weight.means.size());
  }
  double lambda_at(double step) const {
    return step > kCoarse ? std::min(lambda, kMostCoarseLambda) : lambda;
  }

  // `step` in units of the root mean square. With a lambda, passes follow each other, each with the
  // model of the one before.
  void quantize(double step, unsigned n_passes) {
    const double wanted = std::max(step * unit, least);
    weight.step = std::max(saturated(wanted), std::numeric_limits<float>::denorm_min());
    if (!model || lambda == 0) run_pass(nullptr, 0);
    for (unsigned i = 0; i < n_passes && lambda > 0; ++i) {
      if (!model || i > 0) remodel();
      run_pass(&*model, lambda_at(step));
    }
  }
  void run_pass(const Model* used, double cost_of_bit) {
    if (feedback != nullptr) return feedback->quantize(w, used, cost_of_bit, weight);
    tcq::quantize(w, used, cost_of_bit, weight);
  }
  void remodel() {
    model = tcq::choose_model({{w.rows(), w.cols()}, weight.values, weight.fineness});
  }
};

// Evenly spaced runs of rows; all rows if they have inputs of their own.
struct Sample {
  std::vector<float> values;
  std::size_t rows = 0;
  std::vector<std::uint8_t> fineness;
};

Sample sample_of(ConstMatrix w, const TcqWeight& weight, const InputStatistics* inputs) {
  Sample sample;
  const bool is_whole = inputs != nullptr && inputs->n_groups(w.cols()) > 1;
  const std::size_t group = tcq::kLanes * tcq::groups_per_chain(w.cols());
  const std::size_t stride =
      is_whole ? 1 : std::max<std::size_t>(1, w.rows() * w.cols() / kSampledWeights);
  for (std::size_t r = 0; r < w.rows(); ++r) {
    if (r / group % stride != 0) continue;
    sample.values.insert(sample.values.end(), w.row(r).begin(), w.row(r).end());
    if (!weight.fineness.empty()) sample.fineness.push_back(weight.fineness[r]);
    ++sample.rows;
  }
  return sample;
}

struct FoundStep {
  double step = kMostStep;  // in units of the root mean square
  double bits = 0;          // per weight
};

// The step with which the weight takes that many bits per weight or slightly fewer. If all steps
// that were tried take more: the longest step, with 0 bits. Leaves in the task the model with which
// the step takes these bits.
FoundStep find_step(Task& task, double bits) {
  constexpr unsigned kTries = 9;
  constexpr double kTolerance = 0.004;
  const auto n = static_cast<double>(task.w.rows() * task.w.cols());
  double log_step = std::min(1.2 - bits, std::log2(kMostStep));
  double last_log = 0, last_bits = 0, slope = -1;
  FoundStep best;
  std::optional<Model> of_best;
  for (unsigned i = 0; i < kTries; ++i) {
    std::optional<Model> used = task.model;
    task.quantize(std::exp2(log_step), 1);
    task.remodel();
    const double now = task.bits() / n;
    if (now <= bits && now > best.bits) {
      best = {std::exp2(log_step), now};
      of_best = std::move(used);
    }
    if (best.bits > bits * (1 - kTolerance)) break;
    if (i > 0 && log_step != last_log) {
      slope = std::clamp((now - last_bits) / (log_step - last_log), -1.5, -0.2);
    }
    last_log = log_step;
    last_bits = now;
    const double aim = bits * (1 - kTolerance / 2);
    log_step = std::min(log_step + (aim - now) / slope, std::log2(kMostStep));
    if (log_step == last_log) break;
  }
  task.model = std::move(of_best);
  return best;
}

// With lambda, few bits may be out of reach: more zeros make zeros cheaper, until all weights are
// zeros. Then sets the lambda of the task to 0 and searches again.
double search_step(Task& task, double bits) {
  constexpr double kFair = 0.95;
  const FoundStep found = find_step(task, bits);
  if (task.lambda == 0 || found.bits > kFair * bits) return found.step;
  task.model.reset();
  task.lambda = 0;
  return find_step(task, bits).step;
}

// Takes longer steps while the weight takes more bits than its sample did.
void shorten(Task& task, double step, double bits) {
  constexpr unsigned kTries = 8;
  const auto n = static_cast<double>(task.w.rows() * task.w.cols());
  for (unsigned i = 0; i < kTries; ++i) {
    task.remodel();
    const double excess = task.bits() / n - bits;
    if (excess <= 0) return;
    step = std::min(step * std::exp2(excess + 0.01), kMostStep);
    task.quantize(step, 1);
  }
}

double most_gain(const TcqWeight& weight) {
  double most = 0;
  for (std::size_t r = 0; r < weight.rows(); ++r) {
    const double step = weight.row_step(r);
    for (std::size_t c = 0; c < weight.cols(); ++c) {
      most = std::max(most, step * std::abs(weight.values[r * weight.cols() + c]));
    }
  }
  double mean = 0;
  for (const float value : weight.means) mean = std::max(mean, double{std::abs(value)});
  return most == 0 ? kMostGain : (largest_of(weight.dtype) - mean) * (1 - 1e-6) / most;
}

AppliedGain apply_gain(ConstMatrix w, Gain asked, TcqWeight& weight) {
  const AppliedGain gain = choose_gain(sum_of(tcq::gain_sums(w, weight)), asked, most_gain(weight));
  weight.step =
      std::max(saturated(gain.factor * weight.step), std::numeric_limits<float>::denorm_min());
  return gain;
}

double held_out_error(const Task& task, const InputStatistics& inputs) {
  const auto [rows, cols] = task.weight.matrix();
  std::vector<float> decoded(rows * cols);
  TcqCodec::decode_rows(task.weight, 0, {decoded.data(), rows, cols});
  return output_error(task.w, {decoded.data(), rows, cols},
                      {inputs.held_out.data(), inputs.n_held_out(), inputs.cols});
}

// The feedback with the least error on the held-out inputs, for that step.
tcq::Feedback best_feedback(Task task, double step, const InputStatistics& inputs) {
  std::optional<tcq::Feedback> best;
  double least = 0;
  // Without the strongest damping: it is close to no feedback, which compress judges beside it.
  for (const double damping : std::span(kDampings).first(std::size(kDampings) - 1)) {
    tcq::Feedback tried(inputs, task.weight.matrix(), damping);
    if (inputs.n_held_out() == 0) return tried;
    task.feedback = &tried;
    task.quantize(step, 1);
    const double error = held_out_error(task, inputs);
    if (best && !(error < least)) continue;
    least = error;
    best = std::move(tried);
  }
  return *std::move(best);
}

}  // namespace

std::optional<WeightSize> TcqCodec::size_by_shape(const TensorInfo&, const TcqOptions&) {
  return std::nullopt;
}

TcqWeight TcqCodec::encode(const FloatTensor& tensor, const TcqOptions& options,
                           const EncodeContext& context) {
  unsigned n_passes = 3;
  bool is_sampled = false;
  const ConstMatrix w = tensor.matrix();
  Task task{w, {{tensor.info.shape, tensor.info.dtype}}};
  TcqWeight& weight = task.weight;
  weight.means = means_of(w, options.means);
  const std::vector<double> energies = energies_of(w, weight);
  double sum = 0, highest = 0;
  for (const double energy : energies) {
    sum += energy;
    highest = std::max(highest, energy);
  }
  const auto cols = static_cast<double>(w.cols());
  const double rms = sum > 0 ? std::sqrt(sum / (cols * static_cast<double>(w.rows()))) : 1;
  task.unit = rms;
  if (options.scales == TcqScales::kRow && w.cols() >= kFewestScaledColumns) {
    weight.fineness = fineness_of(energies, highest);
    if (!weight.fineness.empty()) task.unit = std::sqrt(highest / cols);
  }
  task.lambda = options.lambda;
  task.least = tcq::least_step(w, weight);
  std::optional<tcq::Feedback> feedback;
  if (context.inputs != nullptr && context.inputs->gram_block > 0 && sum > 0) {
    check_inputs(*context.inputs, weight.matrix());
    feedback.emplace(*context.inputs, weight.matrix(), kDamping);
    task.feedback = &*feedback;
  }
  double step = options.step_unit == StepUnit::kAbsolute ? options.step / rms : options.step;
  if (options.step == kStepByBits && sum > 0) {
    Sample sample = sample_of(w, weight, context.inputs);
    Task small = task;
    small.w = {sample.values.data(), sample.rows, w.cols()};
    small.weight.shape = {sample.rows, w.cols()};
    small.weight.fineness = std::move(sample.fineness);
    step = search_step(small, options.bits);
    if (feedback) {
      *feedback = best_feedback(small, step, *context.inputs);
      small.model.reset();
      step = search_step(small, options.bits);
    }
    task.lambda = small.lambda;
    is_sampled = small.w.rows() < w.rows();
    if (!is_sampled) {
      task.model = std::move(small.model);
      n_passes = 1;
    }
  }
  task.quantize(step, n_passes);
  if (is_sampled) shorten(task, step, options.bits);
  const AppliedGain gain = feedback ? AppliedGain() : apply_gain(w, options.gain, weight);
  weight.options = TcqOptions::fields().text(options) + gain_text(gain);
  return std::move(weight);
}

}  // namespace pqw
