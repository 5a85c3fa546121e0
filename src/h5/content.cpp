// The elements of an HDF5 dataset: numbers or not.
#include "h5/content.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <array>
#include <string_view>

#include "pqw/core/text.h"

namespace pqw::h5 {
namespace {

constexpr std::size_t kMaxDepth = 8;
constexpr unsigned kMaxMembers = 256;

Content numbers(std::string what) { return {std::nullopt, std::move(what), true}; }
Content found(DType dtype, bool big_endian) {
  return {FoundType{dtype, big_endian}, std::string(to_string(dtype)), true};
}
Content no_numbers(std::string what) { return {std::nullopt, std::move(what), false}; }

// Copies a text that HDF5 allocated, and frees it.
std::string take_text(char* text) {
  const std::string copy = text == nullptr ? "" : text;
  H5free_memory(text);
  return copy;
}

// Whether every bit of an element is part of the value (no padding).
bool is_full(Id type) {
  return H5Tget_precision(type) == 8 * H5Tget_size(type) && H5Tget_offset(type) == 0;
}

// Whether the highest byte comes first; empty for other byte orders, such as that of the VAX.
std::optional<bool> is_big_endian(Id type) {
  switch (H5Tget_order(type)) {
    case H5T_ORDER_LE:
      return false;
    case H5T_ORDER_BE:
      return true;
    default:
      return std::nullopt;
  }
}

std::optional<DType> integer_dtype(Id type) {
  const bool has_sign = H5Tget_sign(type) == H5T_SGN_2;
  switch (H5Tget_size(type)) {
    case 1:
      return has_sign ? DType::kI8 : DType::kU8;
    case 2:
      return has_sign ? DType::kI16 : DType::kU16;
    case 4:
      return has_sign ? DType::kI32 : DType::kU32;
    case 8:
      return has_sign ? DType::kI64 : DType::kU64;
    default:
      return std::nullopt;
  }
}

struct FloatLayout {
  DType dtype;
  std::size_t exponent_bits;
  std::size_t bias;
};

// Whether a float has sign, exponent and mantissa from the highest bit down, and an implied first
// bit of the mantissa.
constexpr std::array<FloatLayout, 6> kFloats{{{DType::kF16, 5, 15},
                                              {DType::kBF16, 8, 127},
                                              {DType::kF32, 8, 127},
                                              {DType::kF64, 11, 1023},
                                              {DType::kF8E4M3, 4, 7},
                                              {DType::kF8E5M2, 5, 15}}};

std::optional<DType> float_dtype(Id type, const Subject& subject) {
  std::size_t sign_at = 0, exponent_at = 0, exponent = 0, mantissa_at = 0, mantissa = 0;
  check(H5Tget_fields(type, &sign_at, &exponent_at, &exponent, &mantissa_at, &mantissa), subject,
        "read a type");
  const std::size_t top = 8 * H5Tget_size(type) - 1;
  if (H5Tget_norm(type) != H5T_NORM_IMPLIED || sign_at != top || exponent_at != top - exponent ||
      mantissa != top - exponent || mantissa_at != 0) {
    return std::nullopt;
  }
  for (const FloatLayout& layout : kFloats) {
    if (size_in_bytes(layout.dtype) == H5Tget_size(type) && layout.exponent_bits == exponent &&
        layout.bias == H5Tget_ebias(type)) {
      return layout.dtype;
    }
  }
  return std::nullopt;
}

// Integers and floats.
Content simple_number(Id type, bool is_float, const Subject& subject) {
  const auto order = is_big_endian(type);
  if (order && is_full(type)) {
    const auto dtype = is_float ? float_dtype(type, subject) : integer_dtype(type);
    if (dtype) return found(*dtype, *order);
  }
  const std::size_t size = H5Tget_size(type);
  return numbers(fmt::format("{} of {} bits in {} byte{}{}", is_float ? "floats" : "integers",
                             H5Tget_precision(type), size, size == 1 ? "" : "s",
                             is_float && size > 8 ? " (long double)" : ""));
}

// h5py stores the numpy type as a tag: "NUMPY:<M8[ns]".
Content opaque(Id type) {
  const std::string tag = take_text(H5Tget_tag(type));
  constexpr std::string_view kNumpy = "NUMPY:";
  const char kind = tag.starts_with(kNumpy) && tag.size() > 7 ? tag[7] : '\0';
  if (kind == 'M' || kind == 'm') return no_numbers("dates or time spans");
  const std::size_t size = H5Tget_size(type);
  if (size == 2) return found(DType::kBF16, false);
  return numbers(fmt::format("opaque data of {} byte{}{}", size, size == 1 ? "" : "s",
                             tag.empty() ? "" : ", " + quoted("tagged", tag)));
}

Content content_of_type(Id type, std::size_t depth, const Subject& subject);

// Complex numbers are two floats called r and i, or real and imaginary.
bool is_complex(Id type, const Subject& subject) {
  if (H5Tget_nmembers(type) != 2) return false;
  std::array<std::size_t, 2> sizes{};
  for (const unsigned i : {0u, 1u}) {
    const Handle member = own(H5Tget_member_type(type, i), H5Tclose, subject, "open a type");
    sizes[i] = H5Tget_size(member.id());
    const std::string name = take_text(H5Tget_member_name(type, i));
    if (H5Tget_class(member.id()) != H5T_FLOAT || !name.starts_with("ri"[i])) return false;
  }
  return sizes[0] == sizes[1];
}

Content compound(Id type, std::size_t depth, const Subject& subject) {
  if (is_complex(type, subject)) {
    return numbers(fmt::format("complex numbers of {} bytes", H5Tget_size(type)));
  }
  const int n_members = H5Tget_nmembers(type);
  check(n_members, subject, "read a type");
  for (unsigned i = 0; i < static_cast<unsigned>(n_members); ++i) {
    if (i == kMaxMembers) return numbers(fmt::format("structures of {} members", n_members));
    const Handle member = own(H5Tget_member_type(type, i), H5Tclose, subject, "open a type");
    const Content content = content_of_type(member.id(), depth + 1, subject);
    if (content.has_numbers) return numbers("structures with " + content.what);
  }
  return no_numbers("structures without numbers");
}

// Arrays and lists.
Content repeated(Id type, const char* kind, std::size_t depth, const Subject& subject) {
  const Handle base = own(H5Tget_super(type), H5Tclose, subject, "open a type");
  const Content content = content_of_type(base.id(), depth + 1, subject);
  return {std::nullopt, fmt::format("{} of {}", kind, content.what), content.has_numbers};
}

Content content_of_type(Id type, std::size_t depth, const Subject& subject) {
  if (depth > kMaxDepth) return numbers("types nested too deeply");
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return simple_number(type, false, subject);
    case H5T_FLOAT:
      return simple_number(type, true, subject);
    case H5T_STRING:
      return no_numbers("text");
    case H5T_TIME:
      return no_numbers("dates");
    case H5T_REFERENCE:
      return no_numbers("references");
    case H5T_BITFIELD:
      return numbers(fmt::format("bit fields of {} bits", H5Tget_precision(type)));
    case H5T_OPAQUE:
      return opaque(type);
    case H5T_ENUM:
      if (dtype_of(type, subject)) return found(DType::kBool, false);
      return numbers("values of an enumeration");
    case H5T_COMPOUND:
      return compound(type, depth, subject);
    case H5T_ARRAY:
      return repeated(type, "arrays", depth, subject);
    case H5T_VLEN:
      return repeated(type, "lists", depth, subject);
    default:
      return numbers("elements of an unknown class");
  }
}

}  // namespace

Content content_of(Id dataset, const Subject& subject) {
  const Handle type = own(H5Dget_type(dataset), H5Tclose, subject, "open a type");
  return content_of_type(type.id(), 1, subject);
}

}  // namespace pqw::h5
