// The header of a .npy file, in and out.
#include <fmt/format.h>

#include <cstring>

#include "formats/byte_order.h"
#include "formats/npy.h"

namespace pqw {
namespace {

constexpr std::size_t kVersionBytes = kNpyMagic.size() + 2;
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMaxRank = 32;  // of numpy before 2.0
// numpy leaves room for the first dimension to grow to this many digits in place.
constexpr std::size_t kGrowthDigits = 21;

// The literal within the prefix.
std::string_view find_literal(const Subject& subject, std::span<const std::byte> prefix) {
  if (prefix.size() < kVersionBytes ||
      std::memcmp(prefix.data(), kNpyMagic.data(), kNpyMagic.size()) != 0) {
    throw subject.error("not .npy data: it does not start with \\x93NUMPY and a version");
  }
  const auto major = std::to_integer<unsigned>(prefix[6]);
  const auto minor = std::to_integer<unsigned>(prefix[7]);
  if (major < 1 || major > 3 || minor != 0) {
    throw subject.error(ErrorCode::kUnsupported, ".npy version {}.{}, known are 1.0, 2.0 and 3.0",
                        major, minor);
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4;
  const auto rest = prefix.subspan(kVersionBytes);
  if (rest.size() < length_bytes) throw subject.error("ends inside the .npy header length");
  const std::size_t size = major == 1 ? load_little_endian<std::uint16_t>(rest)
                                      : load_little_endian<std::uint32_t>(rest);
  if (size > kNpyMaxLiteralBytes) {
    throw subject.error(".npy header of {} bytes, at most {} are read", size, kNpyMaxLiteralBytes);
  }
  if (size > rest.size() - length_bytes) {
    throw subject.error(".npy header of {} bytes, {} follow its length", size,
                        rest.size() - length_bytes);
  }
  return {reinterpret_cast<const char*>(rest.data()) + length_bytes, size};
}

std::string shape_tuple(const Shape& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

}  // namespace

std::optional<NpyHeader> parse_npy_header(const Subject& subject, const std::string& name,
                                          std::span<const std::byte> prefix, std::size_t file_bytes,
                                          std::vector<Skipped>& skipped) {
  const std::string_view literal = find_literal(subject, prefix);
  const NpyLiteral parsed = parse_npy_literal(subject, literal);
  if (parsed.is_structured) {
    skipped.push_back({name, "holds structures", true});
    return std::nullopt;
  }
  const auto type = parse_npy_dtype(subject, parsed.descr);
  if (!type) {
    skipped.push_back(describe_npy_dtype(name, parsed.descr));
    return std::nullopt;
  }
  const auto needed = checked_byte_count(parsed.shape, type->dtype);
  const std::string shape = shown(to_string(parsed.shape));
  if (!needed) {
    throw subject.error("shape {} of {} is too large: its sizes exceed 63 bits", shape,
                        to_string(type->dtype));
  }
  const auto* const start = reinterpret_cast<const char*>(prefix.data());
  NpyHeader header{
      .info = {name, type->dtype, parsed.shape},
      .big_endian = type->big_endian,
      .fortran_order = parsed.fortran_order,
      .header_bytes = static_cast<std::size_t>(literal.data() + literal.size() - start),
      .data_bytes = *needed};
  const std::size_t stored = file_bytes - header.header_bytes;
  if (stored != *needed) {
    throw subject.error("{} bytes stored, shape {} of {} needs {}", stored, shape,
                        to_string(type->dtype), *needed);
  }
  return header;
}

std::string format_npy_header(const Subject& subject, const TensorInfo& info) {
  if (info.shape.size() > kMaxRank) {
    throw subject.error(ErrorCode::kUnsupported, "{} dimensions, numpy has at most {}",
                        info.shape.size(), kMaxRank);
  }
  std::string literal = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                    format_npy_dtype(subject, info), shape_tuple(info.shape));
  if (!info.shape.empty()) {
    literal.append(kGrowthDigits - std::to_string(info.shape[0]).size(), ' ');
  }
  constexpr std::size_t kPrefixBytes = kVersionBytes + sizeof(std::uint16_t);
  const std::size_t unpadded = kPrefixBytes + literal.size() + 1;
  literal.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  literal += '\n';

  std::string text(kNpyMagic);
  text += '\1';
  text += '\0';
  text += static_cast<char>(literal.size() & 0xff);  // 32 dimensions fit in 16 bits
  text += static_cast<char>(literal.size() >> 8);
  return text + literal;
}

}  // namespace pqw
