// What is carried, what is refused and what may be left out, from a file to an archive and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/archive_tensors.h"
#include "pqw/archive/archive.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/formats/file_testing.h"
#include "tests/formats/zip_building.h"
#include "tests/support/errors.h"
#include "tests/support/foreseen.h"
#include "tests/support/random_matrix.h"
#include "tests/support/without_layout.h"

namespace pqw {
namespace {

using test::counting;
using test::npy_of;
using test::read_all;
using test::Tensor;
using test::write_all;
using test::zip_of;
using testing::HasSubstr;

// The error that `action` ends in, which must not be missing.
// A weight to compress beside a tensor of every type that archives do not have.
std::vector<Tensor> tensors_of_every_type() {
  Tensor w{{"w", DType::kBF16, {64, 64}}, std::string(64 * 64 * 2, '\0')};
  from_float(test::normal_values(64 * 64, 1), w.info.dtype,
             std::as_writable_bytes(std::span(w.bytes)));
  std::vector<Tensor> tensors{counting("c64", DType::kC64, {4, 2}), w};
  for (const DType dtype : test::kOtherDtypes) {
    if (dtype == DType::kC64) continue;
    tensors.push_back(counting(std::string(to_string(dtype)), dtype, {4, 2}));
  }
  tensors.push_back({{"new", DType::kUnknown, {5}, UnknownType{"I4", 3}}, "abc"});
  tensors.push_back({{"none", DType::kUnknown, {0}, UnknownType{"I3", 0}}, ""});
  tensors.push_back({{"scalar", DType::kF8E8M0, {}}, "e"});
  return tensors;
}

class CarriedFiles : public testing::Test {
 protected:
  void SetUp() override { write_all(input_, tensors_); }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "in.safetensors", archive_ = dir_ / "a.h5";
  const std::vector<Tensor> tensors_ = tensors_of_every_type();
  const Recipe recipe_{.defaults = {{"codec", "pq"}}};
};

TEST_F(CarriedFiles, ComeBackBitByBitInTheirTypes) {
  const Report report = compress(input_, archive_, recipe_);
  test::expect_foreseen(plan_compression(input_, recipe_), report);
  EXPECT_EQ(decode_archive(archive_, dir_ / "d.safetensors", "", false), tensors_.size());
  const std::vector<Tensor> decoded = read_all(dir_ / "d.safetensors");
  ASSERT_EQ(decoded.size(), tensors_.size());
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    EXPECT_EQ(decoded[i].info, tensors_[i].info);
    if (tensors_[i].info.name != "w") {
      EXPECT_EQ(decoded[i].bytes, tensors_[i].bytes);
    }
  }
  EXPECT_EQ(verify(archive_), tensors_.size());
}

TEST_F(CarriedFiles, AreReportedAsWhatTheyAre) {
  const Report report = compress(input_, archive_, recipe_);
  const Report inspected = inspect(archive_), evaluated = evaluate(input_, archive_);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    for (const Report* other : {&report, &inspected, &evaluated}) {
      const TensorReport& tensor = other->tensors[i];
      EXPECT_EQ(test::without_layout(tensor.info), tensors_[i].info);
      EXPECT_EQ(tensor.codec, tensors_[i].info.name == "w" ? "pq" : "carried");
      EXPECT_EQ(tensor.compressed(), tensors_[i].info.name == "w");
      if (!tensor.compressed()) {
        EXPECT_EQ(tensor.bytes, tensors_[i].bytes.size());
      }
    }
  }
  EXPECT_EQ(report.tensors[2].note, "not a float tensor");
  EXPECT_EQ(report.tensors[8].note, "type I4 is unknown: kept as it is");
  EXPECT_EQ(evaluated.distortion()->relative_error(), report.distortion()->relative_error());
}

TEST_F(CarriedFiles, OfAnotherFormatAreAnErrorThatNamesThem) {
  compress(input_, archive_, recipe_);
  for (const char* name : {"d.npz", "d.h5"}) {
    const Error error = test::error_of([&] { decode_archive(archive_, dir_ / name, "", false); });
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("tensor 'c64': "));
    EXPECT_FALSE(std::filesystem::exists(dir_ / name));
  }
  EXPECT_EQ(decode_archive(archive_, dir_ / "w.npz", "^w$", false), 1u);
}

TEST_F(CarriedFiles, EqualOnesAreStoredOnce) {
  for (const TensorInfo& info :
       {TensorInfo{"", DType::kF4, {32, 32}},
        TensorInfo{"", DType::kUnknown, {32, 32}, UnknownType{"I4", 512}}}) {
    Tensor a{info, std::string(512, 'a')}, b = a;
    a.info.name = "a";
    b.info.name = "b";
    write_all(input_ + "2.safetensors", {a, b});
    const Report report = compress(input_ + "2.safetensors", archive_, {}, {.overwrite = true});
    std::filesystem::remove(input_ + "2.safetensors");
    EXPECT_EQ(report.tensors[1].codec, "alias");
    EXPECT_FALSE(report.tensors[1].compressed());
    decode_archive(archive_, dir_ / "d.safetensors", "", true);
    EXPECT_EQ(read_all(dir_ / "d.safetensors"), (std::vector{a, b}));
    EXPECT_EQ(test::without_layout(inspect(archive_).tensors[1].info), b.info);
  }
}

TEST_F(CarriedFiles, CannotBeComputedWith) {
  compress(input_, archive_, recipe_);
  const Model model(archive_);
  const Error weight = test::error_of([&] { model.linear("F4"); });
  EXPECT_EQ(weight.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(weight.what(), HasSubstr("tensor 'F4': type F4 is not supported in computations"));
  const Error bias = test::error_of([&] { model.linear("w", "new"); });
  EXPECT_THAT(bias.what(), HasSubstr("tensor 'new': type I4 is not a float type"));
}

// What readers of before see: a tensor of U8 in a codec that they do not know.
TEST_F(CarriedFiles, ClaimToBeBytesInTheArchive) {
  compress(input_, archive_, recipe_);
  const ArchiveReader archive(archive_);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (tensors_[i].info.name == "w") continue;
    EXPECT_EQ(archive.entries()[i].info.dtype, DType::kU8);
    EXPECT_EQ(archive.entries()[i].info.shape, tensors_[i].info.shape);
    EXPECT_EQ(test::error_of([&] { weight_from_record(archive.read(i)); }).code(),
              ErrorCode::kUnsupported);
  }
}

TEST_F(CarriedFiles, ThatContradictThemselvesAreCorrupt) {
  ArchiveWriter writer(archive_, {});
  writer.add({{"x", DType::kU8, {4}},
              "carried",
              {},
              "dtype=F4",
              {{"bytes", DType::kU8, {3}, std::vector<std::byte>(3)}}});
  writer.commit();
  EXPECT_EQ(test::error_of([&] { verify(archive_); }).code(), ErrorCode::kCorrupt);
  const auto reader = open_decoded(archive_);
  EXPECT_EQ(test::error_of([&] { (void)reader->read(0); }).code(), ErrorCode::kCorrupt);
}

class LostNumbers : public testing::Test {
 protected:
  // A weight, text, complex numbers and a structure.
  void SetUp() override {
    const std::string zeros(16, '\0');
    test::set_content(
        input_, zip_of({{"w.npy", npy_of("<f4", "(2, 2)", zeros)},
                        {"text.npy", npy_of("<U1", "(1,)", std::string("a\0\0\0", 4))},
                        {"c.npy", npy_of("<c16", "(1,)", zeros)},
                        {"s.npy", test::npy_literal("{'descr': [('x', '<f8'), ('y', '<f8')], "
                                                    "'fortran_order': False, 'shape': (1,), }\n",
                                                    zeros)}}));
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "in.npz", archive_ = dir_ / "a.h5";
};

TEST_F(LostNumbers, AreAnErrorThatNamesTheFirst) {
  for (const Error& error : {test::error_of([&] { compress(input_, archive_, {}); }),
                             test::error_of([&] { plan_compression(input_, {}); })}) {
    EXPECT_EQ(error.code(), ErrorCode::kNotCarried);
    EXPECT_EQ(std::string(error.what()),
              input_ +
                  ": 'c' holds complex numbers (dtype '<c16'), which cannot be carried; 1 "
                  "more");
  }
  EXPECT_FALSE(std::filesystem::exists(archive_));
}

TEST_F(LostNumbers, AreLeftOutAndReportedWhenAskedFor) {
  const Report report = compress(input_, archive_, {.skip_unsupported = true});
  ASSERT_EQ(report.tensors.size(), 1u);
  ASSERT_EQ(report.skipped.size(), 3u);
  EXPECT_EQ(report.skipped[0].name, "text");
  EXPECT_EQ(report.skipped[1].name, "c");
  EXPECT_EQ(report.skipped[2].name, "s");
  EXPECT_EQ(evaluate(input_, archive_).skipped.size(), 3u);
}

TEST(FilesWithoutTensors, AreErrors) {
  const test::TempDir dir;
  const auto expect = [&](const std::string& name, const Recipe& recipe, const std::string& what) {
    const Error error = test::error_of([&] { compress(dir / name, dir / "a.h5", recipe); });
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_EQ(std::string(error.what()), dir / name + ": holds no tensor" + what);
    EXPECT_FALSE(std::filesystem::exists(dir / "a.h5"));
  };
  write_all(dir / "none.safetensors", {});
  expect("none.safetensors", {}, "");
  test::set_content(dir / "text.npy", npy_of("|S4", "(1,)", "abcd"));
  expect("text.npy", {}, ": 'arr_0' holds byte strings (dtype '|S4')");
  test::set_content(dir / "complex.npy", npy_of("<c8", "(1,)", "abcdefgh"));
  expect("complex.npy", {.skip_unsupported = true},
         ": 'arr_0' holds complex numbers (dtype '<c8')");
  ArchiveWriter(dir / "empty.h5", {}).commit();
  const Error decoded =
      test::error_of([&] { decode_archive(dir / "empty.h5", dir / "d.safetensors", "", false); });
  EXPECT_EQ(decoded.code(), ErrorCode::kNotFound);
  EXPECT_EQ(std::string(decoded.what()), dir / "empty.h5" + ": holds no tensor");
  EXPECT_FALSE(std::filesystem::exists(dir / "d.safetensors"));
}

}  // namespace
}  // namespace pqw
