// Files of all formats through open_weights and create_weights.
#include "pqw/formats/weight_file.h"

#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::counting;
using test::read_all;
using test::Tensor;
using test::write_all;

bool is_8_bit_float(DType dtype) { return dtype == DType::kF8E4M3 || dtype == DType::kF8E5M2; }

const std::vector<Shape> kShapes{
    {},        {0},          {7},          {3, 5},          {0, 4},
    {2, 3, 4}, {2, 1, 0, 3}, {2, 1, 3, 2}, {1, 2, 1, 2, 3}, {2, 1, 2, 1, 2, 1}};

// Every dtype with every shape; dtypes of large elements first, so that all are aligned.
std::vector<Tensor> one_of_each(bool with_8_bit_floats) {
  std::vector<Tensor> tensors;
  for (const std::size_t element_bytes : {8u, 4u, 2u, 1u}) {
    for (const DType dtype : test::kAllDtypes) {
      if (size_in_bytes(dtype) != element_bytes) continue;
      if (is_8_bit_float(dtype) && !with_8_bit_floats) continue;
      for (const Shape& shape : kShapes) {
        const std::string name = std::string(to_string(dtype)) + "/" + to_string(shape);
        tensors.push_back(counting(name, dtype, shape));
      }
    }
  }
  return tensors;
}

std::vector<Tensor> by_name(std::vector<Tensor> tensors) {
  std::sort(tensors.begin(), tensors.end(),
            [](const Tensor& a, const Tensor& b) { return a.info.name < b.info.name; });
  return tensors;
}

TEST(WeightFile, SafetensorsHoldsEveryDtypeAndShape) {
  const test::TempDir dir;
  const auto tensors = one_of_each(true);
  write_all(dir / "f.safetensors", tensors, {{"key", "value"}});
  EXPECT_EQ(by_name(read_all(dir / "f.safetensors")), by_name(tensors));
  EXPECT_EQ(open_weights(dir / "f.safetensors")->metadata(), (Metadata{{"key", "value"}}));
}

TEST(WeightFile, NpzHoldsEveryDtypeOfNumpyAndShape) {
  const test::TempDir dir;
  const auto tensors = one_of_each(false);
  write_all(dir / "f.npz", tensors, {{"dropped", "value"}});
  EXPECT_EQ(read_all(dir / "f.npz"), tensors);
  EXPECT_TRUE(open_weights(dir / "f.npz")->metadata().empty());
}

TEST(WeightFile, NpyHoldsEveryDtypeOfNumpyAndShape) {
  const test::TempDir dir;
  int n = 0;
  for (Tensor tensor : one_of_each(false)) {
    tensor.info.name = "arr_0";
    const std::string path = dir / (std::to_string(n++) + ".npy");
    write_all(path, {tensor});
    EXPECT_EQ(read_all(path), std::vector{tensor});
  }
}

TEST(WeightFile, TheSameTensorsGiveTheSameBytes) {
  const test::TempDir dir;
  const auto tensors = one_of_each(false);
  for (const std::string extension : {".safetensors", ".npz"}) {
    write_all(dir / ("a" + extension), tensors, {{"b", "1"}, {"a", "2"}});
    write_all(dir / ("b" + extension), tensors, {{"a", "2"}, {"b", "1"}});
    EXPECT_EQ(test::content(dir / ("a" + extension)), test::content(dir / ("b" + extension)));
  }
}

TEST(WeightFile, TheContentCountsAndNotTheExtension) {
  const test::TempDir dir;
  const Tensor tensor = counting("arr_0", DType::kF32, {2, 2});
  write_all(dir / "a.safetensors", {tensor});
  write_all(dir / "a.npy", {tensor});
  write_all(dir / "a.npz", {tensor});
  write_all(dir / "a.hdf5", {tensor});
  std::filesystem::rename(dir / "a.hdf5", dir / "b");
  std::filesystem::rename(dir / "a.safetensors", dir / "b.npz");
  std::filesystem::rename(dir / "a.npy", dir / "b.safetensors");
  std::filesystem::rename(dir / "a.npz", dir / "b.npy");
  for (const char* name : {"b", "b.npz", "b.safetensors", "b.npy"}) {
    EXPECT_EQ(read_all(dir / name), std::vector{tensor}) << name;
  }
}

TEST(WeightFile, BytesOutliveOthersAndTheirReader) {
  const test::TempDir dir;
  const Tensor a = counting("a", DType::kU8, {5000}), b = counting("b", DType::kU8, {5000});
  write_all(dir / "f.safetensors", {a, b});
  auto reader = open_weights(dir / "f.safetensors");
  const std::vector<std::byte> second = reader->read(1);
  EXPECT_EQ(test::text_of(reader->read(0)), a.bytes);
  reader.reset();
  EXPECT_EQ(test::text_of(second), b.bytes);
}

// What is read after the file was changed or cut would be a mixture.
TEST(WeightFile, AFileThatChangesWhileItIsReadIsAnError) {
  const test::TempDir dir;
  const Tensor tensor = counting("arr_0", DType::kF32, {5000});
  for (const char* name : {"f.safetensors", "f.npy", "f.npz", "f.h5"}) {
    for (const bool trusted : {false, true}) {
      for (const std::uintmax_t length : {20100u, 100u, 0u}) {
        std::filesystem::remove(dir / name);
        write_all(dir / name, {tensor});
        const auto reader = open_weights(dir / name, {.trusted = trusted});
        std::filesystem::resize_file(dir / name, length);
        EXPECT_THROW(reader->read(0), Error) << name << " " << length;
      }
      // Of the same size, written to meanwhile.
      std::filesystem::remove(dir / name);
      write_all(dir / name, {tensor});
      const auto reader = open_weights(dir / name, {.trusted = trusted});
      EXPECT_NO_THROW(reader->read(0));
      const auto time = std::filesystem::last_write_time(dir / name);
      std::filesystem::last_write_time(dir / name, time + std::chrono::nanoseconds(1));
      EXPECT_THROW(reader->read(0), Error) << name;
    }
  }
}

TEST(WeightFile, AMissingFileIsNotFound) {
  const test::TempDir dir;
  const auto error = test::error_of_reading(dir / "none.npy");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kNotFound);
}

// The error of creating a file of these tensors, which must not be missing.
Error error_of_creating(const std::string& path, const std::vector<TensorInfo>& tensors,
                        bool overwrite = false) {
  try {
    create_weights(path, tensors, {}, {.overwrite = overwrite});
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << path << " was created";
  return {ErrorCode::kIo, ""};
}

TEST(WeightFile, ExtensionsMayBeInUpperCase) {
  const test::TempDir dir;
  write_all(dir / "F.SafeTensors", {counting("w", DType::kU8, {1})});
  write_all(dir / "F.NPZ", {counting("w", DType::kU8, {1})});
  EXPECT_EQ(read_all(dir / "F.SafeTensors"), read_all(dir / "F.NPZ"));
}

TEST(WeightFile, UnknownExtensionsAreRefusedWithTheKnownOnes) {
  const test::TempDir dir;
  for (const char* name : {"f.pt2", "f", ".npz", "npy", "f.npz.bak"}) {
    const Error error = error_of_creating(dir / name, {});
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(),
                testing::HasSubstr("expected .safetensors, .npy, .npz, .h5 or .hdf5"));
  }
}

TEST(WeightFile, NamesGivenTwiceAreRefused) {
  const test::TempDir dir;
  const TensorInfo info{"w", DType::kU8, {1}};
  for (const char* name : {"f.safetensors", "f.npz", "f.npy", "f.h5"}) {
    const Error error = error_of_creating(dir / name, {info, info});
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), testing::HasSubstr("tensor 'w': the name is given twice"));
  }
}

TEST(WeightFile, ShapesThatOverflowAreRefused) {
  const test::TempDir dir;
  const std::size_t big = std::size_t{1} << 62;
  for (const char* name : {"f.safetensors", "f.npz", "f.npy"}) {
    const Error error = error_of_creating(dir / name, {{"w", DType::kF32, {big}}});
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << name;
  }
  const Error sum = error_of_creating(dir / "f.safetensors",
                                      {{"v", DType::kU8, {big, 1}}, {"w", DType::kU8, {big + 1}}});
  EXPECT_EQ(sum.code(), ErrorCode::kInvalidArgument);
}

TEST(WeightFile, TypesThatAFormatDoesNotHaveAreRefusedByName) {
  const test::TempDir dir;
  for (const DType dtype : test::kOtherDtypes) {
    for (const char* name : {"f.npz", "f.npy", "f.h5"}) {
      const Error error = error_of_creating(dir / name, {{"w", dtype, {4}}});
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_THAT(error.what(), testing::HasSubstr("tensor 'w': "));
      EXPECT_THAT(error.what(), testing::HasSubstr("cannot hold " + std::string(to_string(dtype)) +
                                                   "; use .safetensors"));
    }
  }
  const Error error =
      error_of_creating(dir / "f.h5", {{"w", DType::kUnknown, {4}, UnknownType{"I4", 2}}});
  EXPECT_THAT(error.what(), testing::HasSubstr("tensor 'w': HDF5 files cannot hold I4"));
  EXPECT_EQ(error_of_creating(dir / "f.safetensors", {{"w", DType::kF4, {3}}}).code(),
            ErrorCode::kInvalidArgument)
      << "half a byte";
}

class WriterOf : public testing::TestWithParam<const char*> {};

TEST_P(WriterOf, LeavesNothingBehindWithoutCommit) {
  const test::TempDir dir;
  create_weights(dir / GetParam(), {{"w", DType::kU8, {1}}}, {})->add(test::bytes_of("a"));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST_P(WriterOf, LeavesOnlyTheFileAfterCommit) {
  const test::TempDir dir;
  write_all(dir / GetParam(), {counting("w", DType::kU8, {1})});
  const std::filesystem::directory_iterator files(dir.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_P(WriterOf, KeepsAnExistingFileUnlessToldToOverwrite) {
  const test::TempDir dir;
  const std::string path = dir / GetParam();
  test::set_content(path, "old");
  EXPECT_EQ(error_of_creating(path, {{"w", DType::kU8, {1}}}).code(), ErrorCode::kExists);
  const auto writer = create_weights(path, {{"arr_0", DType::kU8, {1}}}, {}, {.overwrite = true});
  writer->add(test::bytes_of("a"));
  EXPECT_EQ(test::content(path), "old");
  writer->commit();
  EXPECT_EQ(read_all(path), (std::vector<Tensor>{{{"arr_0", DType::kU8, {1}}, "a"}}));
}

TEST_P(WriterOf, RefusesOtherThanTheAnnouncedTensors) {
  const test::TempDir dir;
  const auto writer = create_weights(dir / GetParam(), {{"w", DType::kU8, {2}}}, {});
  EXPECT_THROW(writer->add(test::bytes_of("a")), Error);
  EXPECT_THROW(writer->commit(), Error);
  writer->add(test::bytes_of("ab"));
  EXPECT_THROW(writer->add(test::bytes_of("ab")), Error);
  writer->commit();
  EXPECT_EQ(read_all(dir / GetParam())[0].bytes, "ab");
}

INSTANTIATE_TEST_SUITE_P(, WriterOf, testing::Values("f.safetensors", "f.npy", "f.npz", "f.h5"),
                         [](const auto& test) { return std::string(test.param).substr(2); });

}  // namespace
}  // namespace pqw
