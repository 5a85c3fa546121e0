// Trellis-coded quantization: single weights as entropy-coded integers, for the smallest files. The
// value type, the options and the codec.
//
// M. Marcellin, T. Fischer, "Trellis coded quantization of memoryless and Gauss-Markov sources"
// (IEEE Trans. Communications 38(1), 1990), with the trellis of 8 states of G. Ungerboeck, "Channel
// coding with multilevel/phase signals" (IEEE Trans. Information Theory 28(1), 1982).
#pragma once

#include <cstdint>
#include <vector>

#include "pqw/codecs/codec.h"
#include "pqw/codecs/gain.h"

namespace pqw {

struct TcqCodec;

// W[r][c] = row_step(r) * values[r][c] + means[c], the product and the sum each rounded to float.
struct TcqWeight : WeightHead {
  using Codec = TcqCodec;

  // The magnitude of values is at most this.
  static constexpr int kMostValue = 32767;
  static constexpr std::uint8_t kMostFineness = 63;

  float step = 1;                           // > 0
  std::vector<std::int16_t> values = {};    // [rows][cols], row-major
  std::vector<std::uint8_t> fineness = {};  // [rows], or none: all 0. In half octaves
  std::vector<float> means = {};            // [cols], or none: all 0. Exact in BF16

  // step * 2^(-fineness / 2), rounded to float
  float row_step(std::size_t row) const;
};

enum class TcqScales {
  kNone,  // one step for all rows
  kRow,   // the step of a row is proportional to the root mean square of its weights
};

enum class TcqMeans {
  kAuto,  // if they hold enough energy to pay for their bytes
  kOn,
  kOff,
};

enum class StepUnit {
  kRms,       // of the tensor
  kAbsolute,  // of the weights
};

// A step that encoding finds by the bits.
inline constexpr double kStepByBits = 0;

struct TcqOptions {
  using Codec = TcqCodec;
  static constexpr const char* kCodec = "tcq";
  static const Fields<TcqOptions>& fields();  // a row for each option below

  double bits = 4;            // per weight, all sections counted; the step follows
  double step = kStepByBits;  // in place of bits
  StepUnit step_unit = StepUnit::kRms;
  double lambda = 0;  // a bit costs as much as lambda * step² of squared error
  TcqScales scales = TcqScales::kNone;
  TcqMeans means = TcqMeans::kAuto;
  Gain gain = Gain::kUnbiased;  // a factor on the step

  bool operator==(const TcqOptions&) const = default;
};

// With a Gram matrix of inputs (InputStatistics), later columns of a row make up for the errors of
// earlier ones, as in GPTQ (E. Frantar et al., "GPTQ: Accurate Post-Training Quantization for
// Generative Pre-trained Transformers", 2022), but for all paths through the trellis that are left.
// There is no gain then. Errors: kInvalidArgument for statistics of other columns or with values
// that are not finite; those of loading OpenBLAS.
// The options of the weight end with the gain, as those of pq do; its factor is for what the means
// leave. Sections: docs/archive_format.md. Members: codec.h.
struct TcqCodec : CodecBase<TcqCodec, TcqWeight, TcqOptions> {
  static void decode_rows(const TcqWeight& weight, std::size_t first, MutableMatrix out);
  static std::string summary(const TcqWeight& weight);
  static Record to_record(const TcqWeight& weight, const std::string& name);
  static TcqWeight from_record(const Record& record);
  static std::unique_ptr<const Product> make_product(TcqWeight weight, const ServeOptions& options);

  static bool is_sure(const TcqOptions&) { return false; }
  static std::optional<WeightSize> size_by_shape(const TensorInfo& tensor,
                                                 const TcqOptions& options);
  static TcqWeight encode(const FloatTensor& prepared, const TcqOptions& options,
                          const EncodeContext& context);
};

}  // namespace pqw
