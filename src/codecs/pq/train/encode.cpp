// Encoding: codebooks per group of positions, then the codes.
#include <algorithm>
#include <cassert>
#include <cmath>

#include "codecs/float_range.h"
#include "codecs/pq/train/additive.h"
#include "codecs/pq/train/assign.h"
#include "codecs/pq/train/distinct.h"
#include "codecs/pq/train/ecvq.h"
#include "codecs/pq/train/em.h"
#include "codecs/pq/train/gain.h"
#include "codecs/pq/train/groups.h"
#include "codecs/pq/train/keep_outputs.h"
#include "codecs/pq/train/scale_rows.h"
#include "codecs/train/fields.h"
#include "codecs/train/input_metric.h"
#include "core/subject.h"
#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/float_tensor.h"

namespace pqw {
namespace {

std::size_t groups_of(const Blocks& blocks, const PqOptions& options) {
  return std::clamp<std::size_t>(options.n_groups, 1,
                                 std::max<std::size_t>(1, positions_of(blocks)));
}

// binary16 keeps 11 bits between 2^-14 and 65504. Larger weights would become infinite; so might
// weights times the gain, which is not known yet. Weights that are mostly smaller would lose the
// bits that tell them apart.
bool fits_f16(std::span<const float> values) {
  constexpr double kMax = 65504 / kMostGainOfMeans;
  constexpr double kSmallestNormal = 0x1p-14;
  double squares = 0;
  std::size_t n_nonzero = 0;
  for (const float value : values) {
    if (std::abs(value) > kMax) return false;
    squares += static_cast<double>(value) * value;
    n_nonzero += value != 0;
  }
  return n_nonzero == 0 ||
         squares >= kSmallestNormal * kSmallestNormal * static_cast<double>(n_nonzero);
}

Blocks scaled(const Blocks& blocks, int exponent) {
  Blocks result = blocks;
  for (float& value : result.values) value = std::ldexp(value, exponent);
  return result;
}

void validate(const PqImportance& importance, const Blocks& blocks, const PqOptions& options) {
  const MatrixShape matrix = matrix_shape(blocks.shape);
  const auto check = [&](std::span<const float> values, std::size_t expected, const char* name) {
    if (values.empty()) return;
    if (options.engine == Engine::kFaiss) {
      throw invalid_argument("engine=faiss does not support importances; use engine=native");
    }
    if (values.size() != expected) {
      throw invalid_argument("{} importances of {}, expected {}", values.size(), name, expected);
    }
    for (const float value : values) {
      if (value >= 0 && std::isfinite(value)) continue;
      throw invalid_argument("importances of {}: expected finite values >= 0", name);
    }
  };
  check(importance.rows, matrix.rows, "rows");
  check(importance.columns, matrix.cols, "columns");
  if (options.n_additive > 1 && !importance.columns.empty()) {
    throw invalid_argument("additive={} does not support importances of columns; use additive=1",
                           options.n_additive);
  }
}

void validate(const InputStatistics& inputs, const PqImportance& importance,
              const PqOptions& options, const PqWeight& weight) {
  check_inputs(inputs, weight.matrix());
  if (options.engine == Engine::kFaiss) {
    throw invalid_argument("engine=faiss does not support statistics of inputs; use engine=native");
  }
  if (!importance.columns.empty()) {
    throw invalid_argument("importances of columns and statistics of inputs: give one of them");
  }
}

// [positions][block_size]: the padding of the last position has no importance.
std::vector<float> padded_columns(const PqImportance& importance, const Blocks& blocks) {
  std::vector<float> columns(importance.columns.begin(), importance.columns.end());
  if (!columns.empty()) columns.resize(positions_of(blocks) * blocks.block_size);
  return columns;
}

// Values far below the largest may become zeros when learning scales them: the number of distinct
// blocks is then the one after scaling.
PqWeight unlearned(const Blocks& blocks, const PqOptions& options) {
  PqCodec::check(options);
  if (const int exponent = safe_exponent(blocks.values); exponent < 0) {
    PqOptions float32 = options;  // the weights are beyond the range of binary16
    float32.codebook_dtype = DType::kF32;
    PqWeight weight = unlearned(scaled(blocks, exponent), float32);
    weight.options = PqOptions::fields().text(options) + gain_text(weight.gain);
    return weight;
  }
  PqWeight weight{{blocks.shape, blocks.dtype, ""}};
  weight.options = PqOptions::fields().text(options) + gain_text(weight.gain);
  weight.block_size = blocks.block_size;
  weight.n_groups = groups_of(blocks, options);
  weight.n_additive = options.n_additive;
  weight.n_centroids = 1;
  for (std::size_t group = 0; group < weight.n_groups; ++group) {
    const auto distinct =
        distinct_blocks(group_blocks(blocks, group, weight.n_groups), options.n_centroids);
    weight.n_centroids = std::max(weight.n_centroids, distinct.size());
  }
  const bool narrow = options.codebook_dtype == DType::kF16 && fits_f16(blocks.values);
  weight.codebook_dtype = narrow ? DType::kF16 : DType::kF32;
  return weight;
}

// Copies the codebooks of a group, and the codes of its n_blocks blocks, which follow first_code.
void store(const AdditiveCodebooks& books, std::size_t n_blocks, std::size_t group,
           std::size_t first_code, PqWeight& weight) {
  const std::size_t book_floats = weight.n_centroids * weight.block_size;
  const std::size_t book_codes = weight.codes.size() / weight.n_additive;
  for (std::size_t book = 0; book < weight.n_additive; ++book) {
    std::ranges::copy(std::span(books.values).subspan(book * book_floats, book_floats),
                      &weight.codebooks[(book * weight.n_groups + group) * book_floats]);
    std::ranges::copy(std::span(books.codes).subspan(book * n_blocks, n_blocks),
                      &weight.codes[book * book_codes + first_code]);
  }
}

// In an archive, where high bytes are entropy-coded; about.
double bits_per_value(DType dtype) { return dtype == DType::kF16 ? 13 : 32; }

// Calls learn(blocks, weight) with blocks whose squares are in the range of float, and scales the
// codebooks back.
template <class Learn>
void learn_in_range(const Blocks& blocks, PqWeight& weight, const Learn& learn) {
  const int exponent = safe_exponent(blocks.values);
  if (exponent == 0) return learn(blocks, weight);
  learn(scaled(blocks, exponent), weight);
  const auto n_additive = static_cast<double>(weight.n_additive);  // their sums stay finite
  for (float& value : weight.codebooks) {
    value = static_cast<float>(saturated(n_additive * std::ldexp(double{value}, -exponent)) /
                               n_additive);
  }
}

// Adds codebooks before the gain, and their codes. REQUIRES: blocks in that range.
void learn(const Blocks& blocks, const PqOptions& options, EmObserver* observer,
           const PqImportance& importance, PqWeight& weight) {
  const std::size_t n_books = weight.n_additive * weight.n_groups;
  weight.codebooks.resize(n_books * weight.n_centroids * weight.block_size);
  weight.codes.resize(weight.n_additive * blocks.count());
  const std::size_t codebook_floats = weight.n_centroids * weight.block_size;
  const std::vector<float> columns = padded_columns(importance, blocks);
  const std::vector<float> rows = row_weights(importance, weight);
  std::size_t first_code = 0;
  for (std::size_t group = 0; group < weight.n_groups; ++group) {
    const BlockSpan span = group_blocks(blocks, group, weight.n_groups);
    if (span.count() == 0) continue;
    const std::size_t n_rows = matrix_shape(blocks.shape).rows;
    BlockWeights weights{n_rows, rows, {}};
    if (!columns.empty()) {
      const std::size_t first = first_code / n_rows * blocks.block_size;
      weights.columns = std::span(columns).subspan(first, span.count() / n_rows * span.d);
    }
    const auto codes = std::span(weight.codes).subspan(first_code, span.count());
    PqOptions group_options = options;
    group_options.seed += group;
    const OnIteration observe = [&](EmIteration iteration) {
      iteration.group = group;
      if (observer != nullptr) observer->on_iteration(iteration);
    };
    if (options.n_additive > 1) {
      group_options.n_centroids = weight.n_centroids;
      const auto books =
          train_additive(span, weights, group_options, weight.codebook_dtype, observe);
      store(books, span.count(), group, first_code, weight);
      first_code += span.count();
      continue;
    }
    std::vector<float> codebook = train_codebook(span, weights, group_options, codes, observe);
    const auto round = [&](std::span<float> values) { round_to(weight.codebook_dtype, values); };
    if (options.lambda > 0) {
      const EcvqProblem problem{
          span,   weights, options.lambda, kMostRowClasses, bits_per_value(weight.codebook_dtype),
          observe};
      codebook = constrain_entropy(problem, std::move(codebook), codes, round);
      weight.n_centroids = codebook.size() / span.d;
      weight.codebooks.resize(codebook.size());
    } else {
      round(codebook);
      assign(span, codebook, codes, weights);
    }
    std::copy(codebook.begin(), codebook.end(),
              weight.codebooks.begin() + static_cast<std::ptrdiff_t>(group * codebook_floats));
    first_code += span.count();
  }
}

}  // namespace

PqPrepared prepare_blocks(Blocks blocks, const PqOptions& given) {
  assert(blocks.block_size == given.block_size && given.restarts > 0);
  PqOptions options = given;
  std::vector<float> scales = scale_rows(options.row_scales, blocks);
  if (options.n_groups == kAutoGroups) {
    options.n_groups = choose_groups(blocks, scales, options);
  }
  PqWeight weight = unlearned(blocks, options);
  weight.row_scale_type = options.row_scales;
  weight.entropy_coding = options.entropy_coding;
  weight.row_scales = std::move(scales);
  return {std::move(blocks), std::move(weight)};
}

// Its size depends on the number of distinct blocks.
std::optional<WeightSize> PqCodec::size_by_shape(const TensorInfo&, const PqOptions&) {
  return std::nullopt;
}

PqPrepared PqCodec::prepare(FloatTensor tensor, const PqOptions& options) {
  return prepare_blocks(cut_blocks(tensor, options.block_size), options);
}

std::optional<WeightSize> PqCodec::size(const PqPrepared& prepared, const PqOptions& options) {
  if (options.lambda > 0) return std::nullopt;  // learning tells how many centroids are left
  const PqWeight& weight = prepared.unlearned;
  return WeightSize{to_record(weight, ""),    summary(weight),
                    parameter_count(weight),  0,
                    remarks(weight, options), weight.entropy_coding && weight.n_centroids > 1};
}

PqWeight PqCodec::encode(const PqPrepared& prepared, const PqOptions& options,
                         const EncodeContext& context) {
  PqImportance importance = context.importance ? *context.importance : PqImportance();
  validate(importance, prepared.blocks, options);
  PqWeight weight = prepared.unlearned;
  const bool by_inputs = context.inputs != nullptr && options.n_additive == 1;
  std::vector<float> energies;
  if (by_inputs) {
    validate(*context.inputs, importance, options, weight);
    energies = column_importances(*context.inputs, weight.cols());
    importance.columns = energies;
  }
  const auto learn_any = [&](const Blocks& any, const PqImportance& weights, PqWeight& any_weight) {
    learn_in_range(any, any_weight, [&](const Blocks& blocks, PqWeight& learned) {
      learn(blocks, options, context.observer, weights, learned);
    });
  };
  if (by_inputs && context.inputs->gram_block > 0) {
    learn_in_range(prepared.blocks, weight, [&](const Blocks& blocks, PqWeight& learned) {
      keep_outputs(blocks, *context.inputs, importance, options.lambda, learn_any, learned);
    });
    return weight;
  }
  std::vector<float> rows;
  if (by_inputs) {
    rows = row_importances(*context.inputs, weight.matrix(), importance.rows);
    importance.rows = rows;
  }
  learn_any(prepared.blocks, importance, weight);
  apply_gain(prepared.blocks, importance, options, weight);
  return weight;
}

// The last iterations set each centroid to the mean of its cluster, and no cluster is farther from
// its mean than from zero. With fewer iterations the last M-step may overshoot, or there is none.
// With lambda, all blocks may get the same centroid.
bool PqCodec::is_sure(const PqOptions& options) {
  if (options.lambda > 0) return false;
  constexpr std::size_t kSettled = 12;
  const bool explores = options.init == Init::kPlusPlus && options.engine == Engine::kNative;
  return options.iterations >= (explores ? kSettled : 1);
}

PqWeight pq_from_float(ConstMatrix w, PqOptions options, const EncodeContext& context) {
  PqCodec::resolve(options, Shape{w.rows(), w.cols()});
  return PqCodec::encode(prepare_blocks(cut_blocks(w, options.block_size), options), options,
                         context);
}

}  // namespace pqw
