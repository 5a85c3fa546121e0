// Weights kept as they were.
#include "codecs/train/fields.h"
#include "pqw/codecs/plain_encode.h"
#include "pqw/core/convert.h"

namespace pqw {

const Fields<PlainOptions>& PlainOptions::fields() {
  static const Fields<PlainOptions> kFields = {};
  return kFields;
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
