// Weights of low rank to and from what an archive stores.
#include "codecs/parts.h"
#include "codecs/record_checks.h"
#include "pqw/codecs/low_rank.h"

namespace pqw {
namespace {

constexpr const char* kOuter = "outer";
constexpr const char* kInner = "inner";

}  // namespace

Record to_record(const LowRankWeight& weight, const std::string& name) {
  Record record;
  record.info = {name, weight.dtype, weight.shape};
  record.codec = LowRankWeight::kCodec;
  record.options = weight.options;
  add_part(record, kOuter, *weight.outer);
  add_part(record, kInner, *weight.inner);
  return record;
}

LowRankWeight low_rank_from_record(const Record& record) {
  require_matrix_record(record);
  const MatrixShape matrix = matrix_shape(record.info.shape);
  const Shape inner = part_shape(record, kInner);
  if (inner.size() != 2 || inner[0] == 0) {
    corrupt_record(record, "an inner factor of shape " + to_string(inner) + ", expected [rank, " +
                               std::to_string(matrix.cols) + "]");
  }
  LowRankWeight weight;
  weight.shape = record.info.shape;
  weight.dtype = record.info.dtype;
  weight.options = record.options;
  weight.inner = std::make_shared<const Weight>(read_part(record, kInner, {inner[0], matrix.cols}));
  weight.outer = std::make_shared<const Weight>(read_part(record, kOuter, {matrix.rows, inner[0]}));
  return weight;
}

}  // namespace pqw
