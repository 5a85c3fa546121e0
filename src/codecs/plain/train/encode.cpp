// Weights kept as they were.
#include "codecs/train/option_text.h"
#include "pqw/codecs/plain_encode.h"
#include "pqw/core/convert.h"

namespace pqw {

void set_option(PlainOptions&, std::string_view key, std::string_view) {
  unknown_option(PlainOptions::kCodec, key, {});
}

PlainWeight plan_weight(const FloatTensor& tensor, const PlainOptions&) {
  return {tensor.info.shape, tensor.info.dtype, std::vector<std::byte>(byte_count(tensor.info))};
}

PlainWeight encode(const FloatTensor& tensor, const PlainOptions& options, EmObserver*) {
  PlainWeight weight = plan_weight(tensor, options);
  from_float(tensor.values, weight.dtype, weight.bytes);
  return weight;
}

}  // namespace pqw
