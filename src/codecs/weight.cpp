// A weight in any of its representations: dispatch.
#include "pqw/codecs/weight.h"

#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {

std::string codec_name(const Weight& weight) {
  return std::visit([](const auto& w) -> std::string { return w.kCodec; }, weight);
}

const Shape& shape_of(const Weight& weight) {
  return std::visit([](const auto& w) -> const Shape& { return w.shape; }, weight);
}

void decode_rows(const Weight& weight, std::size_t first, MutableMatrix out) {
  std::visit([&](const auto& w) { decode_rows(w, first, out); }, weight);
}

std::size_t size_in_bits(const Weight& weight) {
  return std::visit([](const auto& w) { return size_in_bits(w); }, weight);
}

std::size_t parameter_count(const Weight& weight) {
  return std::visit([](const auto& w) { return parameter_count(w); }, weight);
}

std::string summary(const Weight& weight) {
  return std::visit([](const auto& w) { return summary(w); }, weight);
}

Record to_record(const Weight& weight, const std::string& name) {
  return std::visit(
      [&](const auto& w) -> Record {
        if constexpr (std::is_same_v<decltype(w), const PlainWeight&>) {
          throw Error(ErrorCode::kInvalidArgument, quoted("tensor", name) + " is plain: no record");
        } else {
          return to_record(w, name);
        }
      },
      weight);
}

Weight weight_from_record(const Record& record) {
  if (record.codec == PqWeight::kCodec) return pq_from_record(record);
  if (record.codec == Int8Weight::kCodec) return int8_from_record(record);
  if (record.codec == LowRankWeight::kCodec) return low_rank_from_record(record);
  if (record.codec == TensorizedWeight::kCodec) return tensorized_from_record(record);
  throw Error(ErrorCode::kUnsupported, quoted("tensor", record.info.name) + ": " +
                                           quoted("codec", record.codec) + " is not known");
}

}  // namespace pqw
