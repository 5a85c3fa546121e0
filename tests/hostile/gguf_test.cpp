// GGUF files that break a rule of the format, one rule each.
#include <gtest/gtest.h>

#include "tests/formats/gguf_building.h"

namespace pqw {
namespace {

using test::BadFile;
using test::gguf_entry;
using test::gguf_of;
using test::gguf_tensor;
using test::gguf_text;
using test::u32;
using test::u64;

constexpr ErrorCode kFormat = ErrorCode::kFormat, kUnsupported = ErrorCode::kUnsupported;
constexpr std::uint64_t kHuge = std::uint64_t{1} << 63;

std::string counts(std::uint64_t n_tensors, std::uint64_t n_entries) {
  return "GGUF" + u32(3) + u64(n_tensors) + u64(n_entries);
}

std::string entry_of(std::uint32_t type, const std::string& value) {
  return gguf_of({.entries = {gguf_entry("k", type, value)}});
}

std::string alignment(std::uint32_t value) {
  return gguf_of({.entries = {gguf_entry("general.alignment", 4, u32(value))}});
}

// A file with 4 bytes of data.
std::string tensor_of(const std::string& tensor) {
  return gguf_of({.tensors = {tensor}, .data = "abcd"});
}

std::string nested_arrays(int n) {
  std::string value;
  for (int i = 0; i < n; ++i) value += u32(9) + u64(1);
  return value + u32(0) + u64(1) + "x";
}

const std::string kCut = "the file ends at byte";

const BadFile kBadFiles[] = {
    {"MagicAlone", "GGUF", kFormat, kCut},
    {"CutInTheVersion", "GGUF\3", kFormat, kCut},
    {"CutInTheCounts", "GGUF" + u32(3) + u64(0) + "abc", kFormat, kCut},
    {"Version1", "GGUF" + u32(1) + u64(0) + u64(0), kUnsupported, "GGUF version 1; versions 2"},
    {"Version0", "GGUF" + u32(0) + u64(0) + u64(0), kUnsupported, "GGUF version 0;"},
    {"LaterVersion", "GGUF" + u32(4) + u64(0) + u64(0), kUnsupported, "GGUF version 4;"},
    {"BigEndian", "GGUF" + u32(0x03000000) + u64(0) + u64(0), kUnsupported,
     "of big-endian numbers"},
    {"ManyTensors", counts(kHuge, 0), kFormat, "9223372036854775808 tensors, expected at most"},
    {"MoreTensorsThanTheFile", counts(1000, 0), kFormat, kCut},
    {"ManyEntries", counts(0, kHuge), kFormat, "metadata entries, expected at most 65536"},
    {"MoreEntriesThanTheFile", counts(0, 1000), kFormat, kCut},
    {"KeyBeyondTheFile", counts(0, 1) + u64(100) + "k", kFormat, kCut},
    {"KeyOfManyBytes", counts(0, 1) + u64(kHuge) + "k", kFormat, "a key of 9223372036854775808"},
    {"KeyTwice", gguf_of({.entries = {gguf_entry("k", 0, "x"), gguf_entry("k", 0, "x")}}), kFormat,
     "metadata 'k': the key occurs twice"},
    {"UnknownValueType", entry_of(13, "x"), kFormat, "metadata 'k': type 13, expected 0 to 12"},
    {"TextBeyondTheFile", entry_of(8, u64(1000) + "x"), kFormat, kCut},
    {"TextOfManyBytes", entry_of(8, u64(kHuge)), kFormat, kCut},
    {"ValueBeyondTheFile", counts(0, 1) + gguf_entry("k", 10, "x"), kFormat, kCut},
    {"ArrayBeyondTheFile", entry_of(9, u32(0) + u64(1000)), kFormat, "an array of 1000 values"},
    {"ArrayWhoseBytesOverflow", entry_of(9, u32(12) + u64(kHuge / 4)), kFormat, "an array of"},
    {"ArrayOfTextsWithoutEnd", entry_of(9, u32(8) + u64(kHuge)), kFormat, kCut},
    {"ArrayOfAnUnknownType", entry_of(9, u32(99) + u64(1) + "x"), kFormat, "type 99"},
    {"ArraysNestedDeep", entry_of(9, nested_arrays(5)), kFormat, "nest deeper than 4 levels"},
    {"AlignmentZero", alignment(0), kFormat, "'general.alignment': 0, expected a power of two"},
    {"AlignmentOdd", alignment(24), kFormat, "24, expected a power of two"},
    {"AlignmentHuge", alignment(1u << 31), kFormat, "2147483648, expected a power of two"},
    {"AlignmentOfText", gguf_of({.entries = {gguf_entry("general.alignment", 8, gguf_text("8"))}}),
     kFormat, "type 8, expected 4 (u32)"},
    {"NameBeyondTheFile", counts(1, 0) + u64(100) + "w", kFormat, kCut},
    {"NameOfManyBytes", counts(1, 0) + u64(1 << 20) + "w", kFormat, "the name of a tensor of"},
    {"NameTwice", gguf_of({.tensors = {gguf_tensor("w", {0}, 0, 0), gguf_tensor("w", {0}, 0, 0)}}),
     kFormat, "tensor 'w': the name occurs twice"},
    {"RankOf5", tensor_of(gguf_tensor("w", {1, 1, 1, 1, 1}, 0, 0)), kFormat, "5 dimensions"},
    {"RankOf4Billion", counts(1, 0) + gguf_text("w") + u32(0xffffffff), kFormat, "4294967295 dim"},
    {"SizeOver63Bits", tensor_of(gguf_tensor("w", {kHuge}, 0, 0)), kFormat, "is too large"},
    {"SizesThatOverflow", tensor_of(gguf_tensor("w", {1ull << 32, 1ull << 32}, 0, 0)), kFormat,
     "shape [4294967296, 4294967296] is too large"},
    {"UnknownTensorType", tensor_of(gguf_tensor("w", {1}, 1000, 0)), kUnsupported,
     "tensor 'w': has the unknown GGUF type 1000"},
    {"OffsetUnaligned", tensor_of(gguf_tensor("w", {1}, 0, 1)), kFormat,
     "data starts at offset 1, expected a multiple of 32"},
    {"OffsetBeyondTheFile", tensor_of(gguf_tensor("w", {1}, 0, 64)), kFormat,
     "tensor 'w': 4 bytes at offset 64, the file holds 4 bytes of data"},
    {"OffsetThatOverflows", tensor_of(gguf_tensor("w", {1}, 0, ~std::uint64_t{31})), kFormat,
     "the file holds 4 bytes of data"},
    {"DataBeyondTheFile", tensor_of(gguf_tensor("w", {2}, 0, 0)), kFormat,
     "8 bytes at offset 0, the file holds 4"},
    {"DataThatOverlaps",
     gguf_of({.tensors = {gguf_tensor("v", {16}, 0, 0), gguf_tensor("w", {1}, 0, 32)},
              .data = std::string(64, 'x')}),
     kFormat, "tensor 'w': shares bytes with 'v'"},
    {"DataThatIsTheSame",
     gguf_of(
         {.tensors = {gguf_tensor("v", {1}, 0, 0), gguf_tensor("w", {1}, 0, 0)}, .data = "abcd"}),
     kFormat, "shares bytes with"},
    {"NameWithControlCharacters", tensor_of(gguf_tensor("\x1b[2J", {1}, 1000, 0)), kUnsupported,
     "tensor '\\x1b[2J'"},
};

class HostileGguf : public testing::TestWithParam<BadFile> {};
TEST_P(HostileGguf, IsRefused) { test::expect_refused(GetParam()); }
INSTANTIATE_TEST_SUITE_P(, HostileGguf, testing::ValuesIn(kBadFiles), test::kind_of);

}  // namespace
}  // namespace pqw
