// Defines a codec: a type without data, with these static members. CodecBase has the usual ones.
//
// kName is its name in archives; Weight is a WeightHead and the data that the codec stores.
//
// For reading archives (src/codecs/<codec>/value and product):
// - decode_rows writes the rows first .. first+out.rows()-1 of the matrix. REQUIRES: they exist;
//   out.cols() == weight.cols().
// - parameter_count: how many numbers the weight would hold at full precision: the elements of the
//   matrix, or of the factors that replace it.
// - summary: the main settings, in a few words for tables: "block_size=8,centroids=256".
// - to_record makes the record of an archive, from_record reads it. Sections of values that are not
//   learned yet have shapes, but no bytes. from_record checks everything, also the features that the
//   record needs; errors: kCorrupt and kUnsupported, naming the tensor.
// - make_product makes the object that computes y = x Wᵀ (product.h).
//
// For encoding (src/codecs/<codec>/train; the library pqw::encoders): Options, whose table
// Options::fields() gives texts, ranges and help, and
// - check throws kInvalidArgument if options are out of range or contradict each other.
// - resolve fills in what depends on the shape. A second call changes nothing.
// - obstacle says why the codec cannot make a tensor of that shape smaller; empty if it may. This
//   member and those below need resolved options.
// - is_sure: true if the decoded weight will be closer to the tensor than zeros are, unless the
//   values are near the limits of their type. Then the size is known.
// - is_placeholder: true if the weight decodes to zeros, to be trained elsewhere.
// - size_by_shape: the size of the weight by its shape alone; empty if the values matter.
// - prepare does the work that size and encode share; the result has the type Prepared.
// - size: the exact size; empty if only encode can tell it.
// - kTakesImportances: without it, the context of encode has no importances.
// - encode learns the weight. Deterministic: the result depends on the arguments, not on the number
//   of threads.
// - remarks: how the weight differs from what the options ask for, as text for people; often empty.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "pqw/codecs/codec_fwd.h"
#include "pqw/codecs/weight_head.h"
#include "pqw/core/matrix.h"
#include "pqw/core/record.h"

namespace pqw {

// Members as most codecs have them. A codec declares the others, and those in which it differs.
template <class C, class W, class O>
struct CodecBase {
  static constexpr const char* kName = O::kCodec;
  using Weight = W;
  using Options = O;
  using Prepared = FloatTensor;

  static std::size_t parameter_count(const W& weight) { return element_count(weight.shape); }

  static void check(const O&) {}
  static void resolve(O&, std::span<const std::size_t>) {}
  static std::string obstacle(const O&, std::span<const std::size_t>) { return ""; }
  static bool is_sure(const O&) { return true; }
  static bool is_placeholder(const O&) { return false; }
  static constexpr bool kTakesImportances = false;
  static FloatTensor prepare(FloatTensor tensor, const O&);
  static std::optional<WeightSize> size(const FloatTensor& tensor, const O& options);
  static std::string remarks(const W&, const O&) { return ""; }
};

template <class C>
concept ReadingCodec = std::derived_from<typename C::Weight, WeightHead> &&
    std::same_as<typename C::Weight::Codec, C> &&
    requires(typename C::Weight weight, const std::string& name, const Record& record,
             std::size_t first, MutableMatrix out, const ServeOptions& options) {
  { C::kName } -> std::convertible_to<std::string>;
  { C::decode_rows(weight, first, out) } -> std::same_as<void>;
  { C::parameter_count(weight) } -> std::same_as<std::size_t>;
  { C::summary(weight) } -> std::same_as<std::string>;
  { C::to_record(weight, name) } -> std::same_as<Record>;
  { C::from_record(record) } -> std::same_as<typename C::Weight>;
  { C::make_product(weight, options) } -> std::same_as<std::unique_ptr<const Product>>;
};

template <class C>
concept EncodingCodec = std::same_as<typename C::Options::Codec, C> &&
    requires(const FloatTensor& tensor, const TensorInfo& info, const typename C::Weight& weight,
             const typename C::Options& options, typename C::Options& settled,
             const typename C::Prepared& prepared, std::span<const std::size_t> shape,
             const EncodeContext& context) {
  { C::Options::fields() } -> std::same_as<const Fields<typename C::Options>&>;
  { C::check(options) } -> std::same_as<void>;
  { C::resolve(settled, shape) } -> std::same_as<void>;
  { C::obstacle(options, shape) } -> std::same_as<std::string>;
  { C::is_sure(options) } -> std::same_as<bool>;
  { C::is_placeholder(options) } -> std::same_as<bool>;
  { C::size_by_shape(info, options) } -> std::same_as<std::optional<WeightSize>>;
  { C::prepare(tensor, options) } -> std::same_as<typename C::Prepared>;
  { C::size(prepared, options) } -> std::same_as<std::optional<WeightSize>>;
  { C::encode(prepared, options, context) } -> std::same_as<typename C::Weight>;
  { C::remarks(weight, options) } -> std::same_as<std::string>;
  { C::kTakesImportances } -> std::convertible_to<bool>;
};

template <ReadingCodec... Cs>
struct CodecList {
  using Weights = std::variant<typename Cs::Weight...>;
  using Options = std::variant<typename Cs::Options...>;

  // Calls f(C()) for every codec C, in order.
  template <class F>
  static void for_each(const F& f) {
    (f(Cs()), ...);
  }
};

}  // namespace pqw
