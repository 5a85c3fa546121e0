// Element types of .npy files: numpy's type strings.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "formats/npy.h"

namespace pqw {
namespace {

struct Row {
  std::string_view descr;  // as numpy writes it on a little-endian machine
  DType dtype;
};

constexpr std::array<Row, 13> kTable{{
    {"<f2", DType::kF16},
    {"<V2", DType::kBF16},
    {"<f4", DType::kF32},
    {"<f8", DType::kF64},
    {"|i1", DType::kI8},
    {"<i2", DType::kI16},
    {"<i4", DType::kI32},
    {"<i8", DType::kI64},
    {"|u1", DType::kU8},
    {"<u2", DType::kU16},
    {"<u4", DType::kU32},
    {"<u8", DType::kU64},
    {"|b1", DType::kBool},
}};

// The numpy names of kinds that do not become tensors; empty for an unknown letter.
std::string_view kind_name(char kind) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"O", "Python objects"},
      {"U", "unicode text"},
      {"Sa", "byte strings"},
      {"c", "complex numbers"},
      {"Mm", "dates or time spans"},
      {"V", "raw bytes"},
      {"fiub", "numbers of a size that no tensor type has"}};
  for (const auto& [letters, name] : kKinds) {
    if (letters.find(kind) != letters.npos) return name;
  }
  return {};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<NpyDtype> parse_npy_dtype(const Subject& subject, std::string_view descr) {
  const std::string_view name = descr.substr(0, descr.empty() ? 0 : 1);
  const std::string_view type = descr.substr(name.size());
  const bool has_order = name == "<" || name == ">" || name == "|";
  const bool well_formed =
      has_order && !type.empty() && !kind_name(type[0]).empty() &&
      (is_digit(type.back()) || type == "O" || type.back() == ']');  // "<M8[ns]"
  if (!well_formed) throw subject.error("descr '{}', expected a type like '<f4'", shown(descr));
  const auto row = std::find_if(kTable.begin(), kTable.end(),
                                [&](const Row& r) { return r.descr.substr(1) == type; });
  const bool is_raw = type == "V2";
  if (row == kTable.end() || (is_raw && name == ">")) return std::nullopt;
  if (name == "|" && size_in_bytes(row->dtype) > 1 && !is_raw) {
    throw subject.error("descr '{}' has no byte order, expected '<' or '>'", descr);
  }
  return NpyDtype{row->dtype, name == ">"};
}

Skipped describe_npy_dtype(const std::string& name, std::string_view descr) {
  constexpr std::string_view kNoNumbers = "USaMm";
  const bool has_numbers = kNoNumbers.find(descr[1]) == kNoNumbers.npos;
  return {name, fmt::format("holds {} (dtype '{}')", kind_name(descr[1]), shown(descr)),
          has_numbers};
}

std::string_view format_npy_dtype(const Subject& subject, const TensorInfo& info) {
  const auto row = std::ranges::find(kTable, info.dtype, &Row::dtype);
  if (row == kTable.end()) {
    throw subject.error(ErrorCode::kUnsupported, "numpy files cannot hold {}; use .safetensors",
                        dtype_name(info));
  }
  return row->descr;
}

}  // namespace pqw
