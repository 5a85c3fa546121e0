// Plain weights, stored bit for bit.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/codec_fwd.h"
#include "pqw/codecs/weight_head.h"
#include "pqw/core/matrix.h"
#include "pqw/core/record.h"
#include "pqw/core/tensor.h"

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
struct PlainCodec {
  static constexpr const char* kName = PlainOptions::kCodec;
  using Weight = PlainWeight;
  using Options = PlainOptions;
  using Prepared = FloatTensor;

  static void decode_rows(const PlainWeight& weight, std::size_t first, MutableMatrix out);
  static std::size_t parameter_count(const PlainWeight& weight);
  static std::string summary(const PlainWeight& weight);
  static Record to_record(const PlainWeight& weight, const std::string& name);
  static PlainWeight from_record(const Record& record);
  static std::unique_ptr<const Product> make_product(PlainWeight weight,
                                                     const ServeOptions& options);

  static void check(const PlainOptions&) {}
  static void resolve(PlainOptions&, std::span<const std::size_t>) {}
  static std::string obstacle(const PlainOptions&, std::span<const std::size_t>) { return ""; }
  static bool is_sure(const PlainOptions&) { return true; }
  static bool is_placeholder(const PlainOptions&) { return false; }
  static std::optional<WeightSize> size(const TensorInfo& tensor, const PlainOptions& options);
  static FloatTensor prepare(FloatTensor tensor, const PlainOptions& options);
  static std::optional<WeightSize> size(const FloatTensor& prepared, const PlainOptions& options);
  static PlainWeight encode(const FloatTensor& prepared, const PlainOptions& options,
                            const EncodeContext& context);
  static std::string remarks(const PlainWeight&, const PlainOptions&) { return ""; }
};

}  // namespace pqw
