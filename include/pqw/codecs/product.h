// Computes y = x Wᵀ with a weight of any codec, laid out once for the kernels of this processor.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "pqw/codecs/codec_fwd.h"
#include "pqw/core/matrix.h"

namespace pqw {

// The exactness of y = x Wᵀ. The exact y is the product with the decoded weight in real numbers. The
// bounds are for ‖error‖ / n(x) on normal x, where n(x)² = Σ_rc x_c² W_rc². n(x) is the norm of y
// unless its terms cancel (by chance, if y has few elements). The bounds hold for the root mean
// square over rows of x; a single row has at most kSingleRowError times as much, except one in ten
// thousand.
// pq: the entries of its tables. int8: x is rounded to 8 bits (kFast) or 16 bits (kHigh), or not at
// all and multiplied with the decoded weight (kExact). low_rank: each of the two products is as
// exact as its factor. The other codecs always compute in float32.
enum class Precision {
  kExact,  // float32: 1e-5 up to 100,000 columns, like sums of floats in any order
  kHigh,   // at least 16 bits per table entry: 1e-4
  kFast,   // at least 8 bits: 1.5e-2, like int8 products with inputs quantized on the fly
};
std::string_view to_string(Precision precision);  // "exact", "high", "fast"
std::optional<Precision> parse_precision(std::string_view name);

// The bound in the comments above: 1e-5, 1e-4 or 1.5e-2.
double documented_error(Precision precision);
inline constexpr double kSingleRowError = 1.5;

// The method that computes a product with a pq weight. If the precision or the processor does not support a
// method, the nearest supported method replaces it.
enum class ServeMethod {
  kAuto,         // the fastest by the cost model, for each batch size (measured_kernel_costs)
  kLookup,       // a row of x at a time, its tables in registers
  kBatchLookup,  // many rows of x at a time, their tables side by side
  kDecode,       // centroids in the place of codes, as the operand of a float32 product
  kDecodeBf16,   // the same in bfloat16, for kFast only
  kDecodeInt8,   // the same in integers of 8 bits, for kFast only
  kDense,        // with the decoded weight, for ServeMemory::kFastest only
};
// "lookup", "batch lookup", "decode", "decode-bf16", "decode-int8", "dense"
std::string_view to_string(ServeMethod method);

// The cycles of the kernels in use, measured now in a few milliseconds: a file for the environment
// variable PQW_COSTS. ServeMethod::kAuto chooses by such costs. The first product of a pq weight, or of
// int8 with ServeMemory::kFastest, measures them (PQW_COSTS is not set, or "measure"), takes those built in
// ("builtin"), or reads the file that PQW_COSTS names: then the same sizes get the same methods, and results the same bits, in
// every process. Lines "kernels NAME", then "COST CYCLES"; # begins a comment.
// Errors: those of kernel_name().
std::string measured_kernel_costs();

// Which function of a product is fast; the other one works too. It matters for pq and int8 weights
// and factors only.
enum class ServeLayout {
  kProducts,  // multiply_rows
  // decode_row, for embeddings: the codes of a row lie side by side. No tables are built, which
  // saves memory and time. multiply_rows decodes one row after the other, and is always exact.
  kRows,
};

// What may be held in memory to multiply with a pq or int8 weight.
enum class ServeMemory {
  kCodes,    // the codes
  kFastest,  // also the decoded weight, float32, for the batches for which it is faster
};
std::string_view to_string(ServeMemory memory);  // "codes", "fastest"

struct ServeOptions {
  Precision precision = Precision::kHigh;
  ServeMethod method = ServeMethod::kAuto;
  ServeLayout layout = ServeLayout::kProducts;
  ServeMemory memory = ServeMemory::kCodes;
};

// Holds all that it needs, usually about as many bytes as the weight. Immutable, safe to use from
// several threads at once. The bits of a result do not depend on the number of threads.
class Product {
 public:
  virtual ~Product() = default;
  Product(const Product&) = delete;
  Product& operator=(const Product&) = delete;

  std::size_t rows() const { return matrix_.rows; }
  std::size_t cols() const { return matrix_.cols; }

  // y = x W[first..first+y.cols()-1]ᵀ. REQUIRES: these rows exist; x is [batch][cols()], y is
  // [batch][any]; they do not overlap. The batch may be 0. If a row of x is finite and its product
  // is in the range of float, y is finite too, even if sums leave the range on the way.
  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const;

  // One row of W, the decoded values to the bit. REQUIRES: the row exists, out.size() == cols().
  virtual void decode_row(std::size_t row, std::span<float> out) const = 0;

  // Says in a few words how a batch of that size is multiplied with all rows.
  virtual std::string describe(std::size_t batch) const = 0;

 protected:
  explicit Product(MatrixShape matrix) : matrix_(matrix) {}

  // For a product that computes by another one: only its own multiply_rows looks for overflow.
  static void multiply_once(const Product& product, std::size_t first, ConstMatrix x,
                            MutableMatrix y) {
    product.multiply_once(first, x, y);
  }

 private:
  // multiply_rows in one pass; sums may overflow. REQUIRES: x and y are not empty.
  virtual void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const = 0;

  MatrixShape matrix_;
};

// Errors: kInvalidArgument for a rank below 2, for a plain weight that is not of a float type, when
// PQW_KERNEL names no usable kernel, and when PQW_COSTS is a file with wrong lines; kIo if it cannot
// be read.
std::unique_ptr<const Product> make_product(Weight weight, const ServeOptions& options = {});

}  // namespace pqw
