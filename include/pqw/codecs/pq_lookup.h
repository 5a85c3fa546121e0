// A product-quantized weight made ready for many multiplications.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "pqw/codecs/pq.h"

namespace pqw {

// How exact y = x Wᵀ is, relative to the product with the decoded weight in real numbers.
enum class Precision {
  kExact,  // tables of float32: differs as sums of floats in another order do
  kHigh,   // at least 16 bits per table entry: ‖error‖ <= 1e-4 ‖y‖ on normal data
  kFast,  // at least 8 bits: ‖error‖ <= 1.5e-2 ‖y‖ on normal data, as int8 products of floats
          // quantized on the fly have it
};
std::string_view to_string(Precision precision);  // "exact", "high", "fast"
std::optional<Precision> parse_precision(std::string_view name);

// The bound of ‖error‖ / ‖y‖ above; of kExact a generous one for sums of any length.
double documented_error(Precision precision);

// How a product is computed. A method that a precision or a processor does not have is replaced by
// the nearest one that it has.
enum class ServeMethod {
  kAuto,         // the fastest by the cost model, for each batch size
  kLookup,       // a row of x at a time, its tables in registers
  kBatchLookup,  // many rows of x at a time, their tables side by side
  kDecode,       // the centroids behind the codes as the operand of a float32 matrix product
  kDecodeBf16,   // the same in bfloat16, for kFast alone
};
std::string_view to_string(ServeMethod method);

struct ServeOptions {
  Precision precision = Precision::kHigh;
  ServeMethod method = ServeMethod::kAuto;
};

// The codes of a weight, laid out once for the kernels of this processor. Holds all it needs and
// takes about as many bytes as the codes. Immutable, cheap to copy (copies share everything), safe
// to use from several threads at once. The bits of a result depend neither on the number of
// threads nor on the other rows of the range or of the batch, as long as the method is the same.
//
// Where a few centroids are far longer than the others, their codes, up to 8 % of all, are computed
// as floats beside the tables of integers. A weight whose tables would still be less exact
// than the precision promises on normal x is computed with float32 tables.
// A row of x with an infinite or NaN value, or with values so large or small that the scale of its
// tables would not be a normal float, is computed as if the precision were kExact.
class PqLookup {
 public:
  // Errors: kInvalidArgument when PQW_KERNEL names no usable kernel.
  explicit PqLookup(const PqWeight& weight, const ServeOptions& options = {});

  std::size_t rows() const;
  std::size_t cols() const;

  // y = x Wᵀ. REQUIRES: x is [batch][cols()], y is [batch][rows()]; they do not overlap.
  void multiply(ConstMatrix x, MutableMatrix y) const;

  // The same for rows first .. first+y.cols()-1 of W. REQUIRES: they exist.
  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const;

  // The method for a batch of that size; never kAuto.
  ServeMethod method(std::size_t batch) const;

  // The same for people, with the precision of the tables and the instruction set.
  std::string describe(std::size_t batch) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace pqw
