// Weights of low rank to and from what an archive stores.
#include "codecs/low_rank/value/factors.h"
#include "codecs/record_checks.h"

namespace pqw {
Record LowRankCodec::to_record(const LowRankWeight& weight, const std::string& name) {
  Record record = record_of(kName, weight, name);
  add_part(record, kOuter, pqw::to_record(*weight.outer, kOuter));
  add_part(record, kInner, pqw::to_record(*weight.inner, kInner));
  return record;
}

LowRankWeight LowRankCodec::from_record(const Record& record) {
  LowRankWeight weight{read_head(record)};
  const MatrixShape matrix = weight.matrix();
  const Shape inner = part_shape(record, kInner);
  if (inner.size() != 2 || inner[0] == 0) {
    throw subject_of(record).error("an inner factor of shape {}, expected [rank, {}]",
                                   to_string(inner), matrix.cols);
  }
  weight.inner =
      std::make_shared<const pqw::Weight>(read_part(record, kInner, {inner[0], matrix.cols}));
  weight.outer =
      std::make_shared<const pqw::Weight>(read_part(record, kOuter, {matrix.rows, inner[0]}));
  return weight;
}

}  // namespace pqw
