// Weights kept as they were.
#include "codecs/record_checks.h"
#include "codecs/train/fields.h"
#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/plain.h"
#include "pqw/core/convert.h"

namespace pqw {

const Fields<PlainOptions>& PlainOptions::fields() {
  static const Fields<PlainOptions> kFields = {};
  return kFields;
}

std::optional<WeightSize> PlainCodec::size_by_shape(const TensorInfo& tensor, const PlainOptions&) {
  WeightSize size;
  size.record = to_record({{tensor.shape, tensor.dtype}, {}}, tensor.name);
  size.n_parameters = element_count(tensor.shape);
  return size;
}

PlainWeight PlainCodec::encode(const FloatTensor& prepared, const PlainOptions&,
                               const EncodeContext&) {
  PlainWeight weight{{prepared.info.shape, prepared.info.dtype}, {}};
  weight.bytes.resize(byte_count(prepared.info));
  from_float(prepared.values, weight.dtype, weight.bytes);
  return weight;
}

}  // namespace pqw
