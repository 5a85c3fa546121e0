// Copies of archives with other values: what changes, and what stays bit for bit.
#include "pqw/pipeline/replace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "codecs/alias.h"
#include "codecs/cast.h"
#include "pqw/archive/archive.h"
#include "pqw/core/convert.h"
#include "pqw/model/model.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/random_int8_weight.h"
#include "tests/support/random_matrix.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::content;
using test::element;
using test::error_of;
using testing::HasSubstr;

std::vector<float> rounded_to_f16(std::vector<float> values) {
  for (float& value : values) value = f16_to_float(float_to_f16(value));
  return values;
}

// Codes of which most are 0, so that entropy coding makes them smaller.
PqWeight skewed(PqWeight weight) {
  for (std::size_t i = 0; i < weight.codes.size(); ++i) {
    if (i % 5 != 0) weight.codes[i] = 0;
  }
  return weight;
}

PqWeight sample(Shape shape, std::size_t n_groups = 1, std::size_t n_additive = 1) {
  PqWeight weight = test::random_pq_weight(std::move(shape), 3, 16, n_groups, n_additive);
  weight.codebooks = rounded_to_f16(weight.codebooks);
  weight.options = "block_size=3,centroids=16";
  return weight;
}

std::vector<std::byte> bytes_of_floats(const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// An archive with these tensors:
//   pq, grouped, scaled, additive, coded   codec pq, in all its forms
//   plain F32 [3], narrow F32 [4] as F16, same_plain and same_pq (aliases), int8
class ReplaceTest : public testing::Test {
 protected:
  ReplaceTest() {
    scaled_.row_scales = rounded_to_f16(scaled_.row_scales);
    ArchiveWriter writer(archive_, {.metadata = {{"format", "pt"}}});
    add(writer, pq_, "pq");
    add(writer, sample({5, 10}, 2), "grouped");
    add(writer, scaled_, "scaled");
    add(writer, sample({5, 10}, 1, 2), "additive");
    add(writer, skewed(sample({40, 50})), "coded");
    writer.add_plain({"plain", DType::kF32, {3}}, bytes_of_floats({1, 2, 3}));
    writer.add(cast_record({"narrow", DType::kF32, {4}}, DType::kF16, std::vector<std::byte>(8)));
    writer.add(alias_record({"same_plain", DType::kF32, {3}}, "plain"));
    writer.add(alias_record({"same_pq", DType::kF32, {5, 10}}, "pq"));
    writer.add(Int8Codec::to_record(test::random_int8_weight({4, 6}, false), "int8"));
    writer.commit();
  }

  static void add(ArchiveWriter& writer, const PqWeight& weight, const std::string& name) {
    writer.add(PqCodec::to_record(weight, name));
  }

  std::uint64_t replace(const std::map<std::string, NewValues>& values) {
    return replace_values(archive_, output_, values, {.overwrite = true});
  }

  // The weight that the output has.
  PqWeight written(const std::string& name) const {
    return std::get<PqWeight>(Model(output_).weight(name));
  }

  std::string codec_in_output(const std::string& name) const {
    const ArchiveReader reader(output_);
    return reader.entries()[*reader.find(name)].codec;
  }

  test::TempDir dir_;
  const std::string archive_ = dir_ / "old.h5", output_ = dir_ / "new.h5";
  const PqWeight pq_ = sample({5, 10});
  PqWeight scaled_ = test::with_row_scales(sample({5, 10}));
};

TEST_F(ReplaceTest, WithoutValuesTheCopyHasTheSameBytes) {
  EXPECT_EQ(replace({}), content(archive_).size());
  EXPECT_EQ(content(output_), content(archive_));
}

TEST_F(ReplaceTest, ValuesAsTheyWereGiveTheSameBytes) {
  const Model model(archive_);
  std::map<std::string, NewValues> values;
  for (const char* const name : {"pq", "grouped", "scaled", "additive", "coded", "same_pq"}) {
    const auto weight = std::get<PqWeight>(model.weight(name));
    values[name] = PqValues{"", weight.codebooks, weight.row_scales};
  }
  for (const char* const name : {"plain", "narrow", "same_plain"}) values[name] = model.read(name);
  replace(values);
  EXPECT_EQ(content(output_), content(archive_));
}

TEST_F(ReplaceTest, NewCodebooksAndScalesDecodeByDefinition) {
  PqWeight expected = scaled_;
  expected.codebooks = test::normal_values(expected.codebooks.size(), 11);
  expected.row_scales = {0, 0.1f, 1, 1.3f, 2};
  replace({{"scaled", PqValues{"", expected.codebooks, expected.row_scales}}});
  expected.codebooks = rounded_to_f16(expected.codebooks);
  expected.row_scales = rounded_to_f16(expected.row_scales);
  const PqWeight found = written("scaled");
  EXPECT_EQ(found.codes, scaled_.codes);
  EXPECT_EQ(found.options, scaled_.options);
  const std::vector<float> decoded = Model(output_).decode("scaled");
  for (std::size_t r = 0; r < 5; ++r) {
    for (std::size_t c = 0; c < 10; ++c) {
      EXPECT_FLOAT_EQ(decoded[r * 10 + c], static_cast<float>(element(expected, r, c)));
    }
  }
}

TEST_F(ReplaceTest, EntropyCodedCodesStay) {
  const auto before = std::get<PqWeight>(Model(archive_).weight("coded"));
  ASSERT_TRUE(before.entropy_coding);
  replace({{"coded", PqValues{"", test::normal_values(before.codebooks.size(), 7), {}}}});
  EXPECT_EQ(written("coded").codes, before.codes);
  EXPECT_NE(written("coded").codebooks, before.codebooks);
}

TEST_F(ReplaceTest, PlainValuesAreStoredInTheirTypes) {
  replace({{"plain", bytes_of_floats({4, 5, 6})}, {"narrow", bytes_of_floats({1, 2, 3, 0.1f})}});
  const Model model(output_);
  EXPECT_EQ(model.decode("plain"), (std::vector<float>{4, 5, 6}));
  EXPECT_EQ(model.decode("narrow"), rounded_to_f16({1, 2, 3, 0.1f}));
  EXPECT_EQ(codec_in_output("narrow"), kCastCodec);
}

TEST_F(ReplaceTest, AliasKeepsTheOldValuesIfOnlyItsTargetChanges) {
  replace({{"plain", bytes_of_floats({4, 5, 6})},
           {"pq", PqValues{"", test::normal_values(pq_.codebooks.size(), 8), {}}}});
  EXPECT_EQ(Model(output_).decode("same_plain"), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(written("same_pq").codebooks, pq_.codebooks);
  EXPECT_EQ(written("same_pq").codes, pq_.codes);
}

TEST_F(ReplaceTest, AliasGetsValuesOfItsOwn) {
  replace({{"same_plain", bytes_of_floats({4, 5, 6})}});
  EXPECT_EQ(Model(output_).decode("plain"), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(Model(output_).decode("same_plain"), (std::vector<float>{4, 5, 6}));
}

TEST_F(ReplaceTest, TiedTensorsStayAliases) {
  const PqValues values{"", test::normal_values(pq_.codebooks.size(), 8), {}};
  replace({{"pq", values}, {"same_pq", values}});
  EXPECT_EQ(codec_in_output("same_pq"), kAliasCodec);
  EXPECT_EQ(written("same_pq").codebooks, rounded_to_f16(values.codebooks));
}

TEST_F(ReplaceTest, CodesComeFromAnotherArchive) {
  const std::string dense = dir_ / "dense.h5";
  {
    ArchiveWriter writer(dense, {});
    writer.add_plain({"pq", DType::kF32, {5, 10}}, bytes_of_floats(std::vector<float>(50)));
    writer.add_plain({"scaled", DType::kF32, {50}}, bytes_of_floats(std::vector<float>(50)));
    writer.commit();
  }
  const std::vector<float> codebooks = test::normal_values(pq_.codebooks.size(), 9);
  replace_values(dense, output_, {{"pq", PqValues{archive_, codebooks, {}}}});
  EXPECT_EQ(written("pq").codes, pq_.codes);
  EXPECT_EQ(written("pq").codebooks, rounded_to_f16(codebooks));
  EXPECT_EQ(Model(output_).decode("scaled"), std::vector<float>(50));

  const auto wrong = error_of([&] {
    replace_values(dense, output_, {{"scaled", PqValues{archive_, {}, {}}}}, {.overwrite = true});
  });
  EXPECT_THAT(wrong.what(), HasSubstr("is F32 of shape [5, 10], expected F32 of shape [50]"));
}

TEST_F(ReplaceTest, RefusesValuesThatDoNotFit) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> too_large = pq_.codebooks;
  too_large[5] = 70000;
  const struct {
    std::string name;
    NewValues values;
    const char* message;
  } cases[] = {
      {"none", PlainValues(), "no tensor is named 'none'"},
      {"plain", PlainValues(4), "4 bytes are given, shape [3] of F32 needs 12"},
      {"pq", PlainValues(200), "stored by codec pq; only plain values can be replaced"},
      {"int8", PqValues(), "stored by codec int8, expected codec pq"},
      {"plain", PqValues(), "stored by codec plain, expected codec pq"},
      {"pq", PqValues{"", {1}, {}}, "1 values of codebooks are given, expected 48"},
      {"pq", PqValues{"", {}, {1}}, "1 row scales are given, expected 0"},
      {"pq", PqValues{"", std::vector<float>(48, infinity), {}}, "a codebook holds inf"},
      {"pq", PqValues{"", too_large, {}}, "a codebook holds 70000, expected numbers up to 65504"},
      {"scaled", PqValues{"", {}, {1, 1, 1, 1, -1}}, "row scale -1, expected 0 to 2"},
      {"scaled", PqValues{"", {}, {1, 1, 3, 1, 1}}, "row scale 3, expected 0 to 2"},
  };
  for (const auto& [name, values, message] : cases) {
    const auto error = error_of([&] { replace({{name, values}}); });
    EXPECT_THAT(error.what(), HasSubstr(message));
    EXPECT_THAT(error.what(), HasSubstr("old.h5"));
  }
  EXPECT_EQ(content(output_), "");
}

TEST_F(ReplaceTest, RefusesOutputsThatAreInputs) {
  const std::string before = content(archive_);
  EXPECT_THROW(replace_values(archive_, archive_, {}, {.overwrite = true}), Error);
  const std::map<std::string, NewValues> values = {{"pq", PqValues{archive_, {}, {}}}};
  EXPECT_THROW(replace_values(archive_, dir_ / "new.safetensors", values), Error);
  EXPECT_EQ(content(archive_), before);
}

}  // namespace
}  // namespace pqw
