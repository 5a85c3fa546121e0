// Plain weights, stored bit for bit.
#pragma once

#include <vector>

#include "pqw/codecs/codec.h"

namespace pqw {

struct PlainCodec;

struct PlainWeight : WeightHead {
  using Codec = PlainCodec;

  std::vector<std::byte> bytes = {};  // row-major, little-endian
};

// The codec of parts of other weights, and of tensors that stay as they are.
struct PlainOptions {
  using Codec = PlainCodec;
  static constexpr const char* kCodec = "plain";
  static const Fields<PlainOptions>& fields();  // a row for each option: none

  bool operator==(const PlainOptions&) const = default;
};

// Section: `values` of the type and shape of the weight. Decoding a rank below 2 or a type that is
// not a float type is kInvalidArgument. Members: codec.h.
struct PlainCodec : CodecBase<PlainCodec, PlainWeight, PlainOptions> {
  static void decode_rows(const PlainWeight& weight, std::size_t first, MutableMatrix out);
  static std::string summary(const PlainWeight& weight);
  static Record to_record(const PlainWeight& weight, const std::string& name);
  static PlainWeight from_record(const Record& record);
  static std::unique_ptr<const Product> make_product(PlainWeight weight,
                                                     const ServeOptions& options);

  static std::optional<WeightSize> size_by_shape(const TensorInfo& tensor,
                                                 const PlainOptions& options);
  static PlainWeight encode(const FloatTensor& prepared, const PlainOptions& options,
                            const EncodeContext& context);
};

}  // namespace pqw
