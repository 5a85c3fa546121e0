// A weight of any codec: dispatch.
#include "pqw/codecs/weight.h"

#include "codecs/record_checks.h"

namespace pqw {
std::string codec_name(const Weight& weight) {
  return std::visit([]<class W>(const W&) -> std::string { return W::Codec::kName; }, weight);
}

const WeightHead& head_of(const Weight& weight) {
  return std::visit([](const WeightHead& head) -> const WeightHead& { return head; }, weight);
}

void decode_rows(const Weight& weight, std::size_t first, MutableMatrix out) {
  std::visit([&]<class W>(const W& w) { W::Codec::decode_rows(w, first, out); }, weight);
}

std::size_t parameter_count(const Weight& weight) {
  return std::visit([]<class W>(const W& w) { return W::Codec::parameter_count(w); }, weight);
}

std::string summary(const Weight& weight) {
  return std::visit([]<class W>(const W& w) { return W::Codec::summary(w); }, weight);
}

Record to_record(const Weight& weight, const std::string& name) {
  return std::visit([&]<class W>(const W& w) { return W::Codec::to_record(w, name); }, weight);
}

Weight weight_from_record(const Record& record) {
  std::optional<Weight> weight;
  Codecs::for_each([&]<class C>(C) {
    if (record.codec == C::kName) weight = C::from_record(record);
  });
  if (weight) return *std::move(weight);
  throw subject_of(record).error(ErrorCode::kUnsupported, "codec '{}' is not known",
                                 shown(record.codec));
}

}  // namespace pqw
