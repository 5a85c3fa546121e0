// Records of F32 tensors in a narrower type.
#include "codecs/cast.h"

#include "tests/codecs/bad_record.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

const TensorInfo kInfo{"fc", DType::kF32, {3}};

std::vector<std::byte> bytes_of(const auto& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

TEST(Cast, DecodesToF32) {
  const std::vector<float> expected{1, -2, 0.5f};
  const std::vector<std::uint16_t> half{0x3c00, 0xc000, 0x3800}, brain{0x3f80, 0xc000, 0x3f00};
  const Record f16 = cast_record(kInfo, DType::kF16, bytes_of(half));
  const Record bf16 = cast_record(kInfo, DType::kBF16, bytes_of(brain));
  EXPECT_EQ(cast_dtype(f16), DType::kF16);
  EXPECT_EQ(cast_dtype(bf16), DType::kBF16);
  EXPECT_EQ(cast_bytes(f16), bytes_of(expected));
  EXPECT_EQ(cast_bytes(bf16), bytes_of(expected));
  EXPECT_EQ(data_bytes(f16), 6u);
}

class BadCast : public testing::TestWithParam<test::BadRecord> {};

TEST_P(BadCast, IsRefused) {
  Record record = cast_record(kInfo, DType::kF16, std::vector<std::byte>(6));
  GetParam().spoil(record);
  const Error error = test::error_of([&] { (void)cast_bytes(record); });
  EXPECT_EQ(error.code(), GetParam().code);
  EXPECT_THAT(error.what(), testing::HasSubstr("'fc'"));
  EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().message));
}

using test::kCorrupt;

INSTANTIATE_TEST_SUITE_P(
    Records, BadCast,
    testing::Values(
        test::BadRecord{"feature", ErrorCode::kUnsupported, "new",
                        [](Record& r) { r.features = {"new"}; }},
        test::BadRecord{"original type", kCorrupt, "type F64, expected F32",
                        [](Record& r) { r.info.dtype = DType::kF64; }},
        test::BadRecord{"no section", kCorrupt, "values", [](Record& r) { r.sections.clear(); }},
        test::BadRecord{"another section", kCorrupt, "2 sections and 0 parts",
                        [](Record& r) {
                          r.sections.push_back({"more", DType::kU8, {0}, {}});
                        }},
        test::BadRecord{"part", kCorrupt, "1 sections and 1 parts",
                        [](Record& r) { r.parts.push_back(r); }},
        test::BadRecord{"type of the values", kCorrupt, "type I16 and shape [3]",
                        [](Record& r) { r.sections[0].dtype = DType::kI16; }},
        test::BadRecord{"shape", kCorrupt, "shape [1, 3], expected F16 or BF16 and shape [3]",
                        [](Record& r) {
                          r.sections[0].shape = {1, 3};
                        }},
        test::BadRecord{"too few bytes", kCorrupt, "values",
                        [](Record& r) { r.sections[0].bytes.resize(4); }}),
    test::name_of);

}  // namespace
}  // namespace pqw
