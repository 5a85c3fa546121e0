// Models in several files: an index or a folder in place of one file.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::counting;
using test::read_all;
using test::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

const Tensor kA = counting("a", DType::kF32, {2, 3}), kB = counting("b", DType::kF16, {5}),
             kC = counting("c", DType::kI64, {});

constexpr char kIndex[] =
    R"({"metadata":{"total_size":42},"weight_map":{"c":"m-2.safetensors","b":"m-1.safetensors",)"
    R"("a":"m-2.safetensors"}})";

class Sharded : public testing::Test {
 protected:
  Sharded() {
    test::write_all(dir_ / "m-1.safetensors", {kB}, {{"format", "pt"}, {"x", "1"}});
    test::write_all(dir_ / "m-2.safetensors", {kC, kA}, {{"format", "pt"}, {"x", "2"}});
    write_index(kIndex);
  }

  void write_index(const std::string& json) const {
    test::set_content(dir_ / "model.safetensors.index.json", json);
  }

  std::string error_of_folder() const {
    const auto error = test::error_of_reading(dir_.path());
    return error ? error->what() : "no error";
  }

  const test::TempDir dir_;
};

TEST_F(Sharded, AnIndexGivesTheTensorsOfItsFiles) {
  const std::string path = dir_ / "model.safetensors.index.json";
  EXPECT_THAT(read_all(path), ElementsAre(kB, kC, kA));
  const auto reader = open_weights(path);
  EXPECT_EQ(reader->metadata(), (Metadata{{"format", "pt"}, {"x", "1"}}));
  EXPECT_THAT(test::skipped_in(*reader),
              ElementsAre("'x' is metadata that differs in 'm-2.safetensors'"));
  EXPECT_THAT(reader->files(),
              ElementsAre(dir_ / "m-1.safetensors", dir_ / "m-2.safetensors", path));
  EXPECT_EQ(reader->file_bytes(), std::filesystem::file_size(dir_ / "m-1.safetensors") +
                                      std::filesystem::file_size(dir_ / "m-2.safetensors") +
                                      sizeof(kIndex) - 1);
}

TEST_F(Sharded, AFolderGivesTheTensorsOfItsIndex) {
  test::write_all(dir_ / "other.safetensors", {kA});  // which the index does not name
  EXPECT_THAT(read_all(dir_.path()), ElementsAre(kB, kC, kA));
  EXPECT_THAT(read_all(dir_.path().string() + "/"), ElementsAre(kB, kC, kA));
}

TEST_F(Sharded, AFolderWithoutAnIndexGivesTheTensorsOfAllItsFiles) {
  std::filesystem::remove(dir_ / "model.safetensors.index.json");
  EXPECT_THAT(read_all(dir_.path()), ElementsAre(kB, kC, kA));
  std::filesystem::remove(dir_ / "m-1.safetensors");
  EXPECT_THAT(read_all(dir_.path()), ElementsAre(kC, kA));
}

TEST_F(Sharded, ATensorInTwoFilesIsNamed) {
  std::filesystem::remove(dir_ / "model.safetensors.index.json");
  test::write_all(dir_ / "n.safetensors", {kA});
  EXPECT_THAT(error_of_folder(), HasSubstr("tensor 'a': is in 'm-2.safetensors' and in "
                                           "'n.safetensors'; name the file that counts"));
}

TEST_F(Sharded, ATensorThatTheIndexDoesNotListIsKept) {
  write_index(R"({"weight_map":{"a":"m-2.safetensors"}})");
  EXPECT_THAT(read_all(dir_.path()), ElementsAre(kC, kA));
}

TEST_F(Sharded, ATensorMustBeInTheFileThatTheIndexSays) {
  write_index(R"({"weight_map":{"a":"m-1.safetensors","c":"m-2.safetensors"}})");
  EXPECT_THAT(error_of_folder(), HasSubstr("model.safetensors.index.json: tensor 'a': weight_map "
                                           "says 'm-1.safetensors', but 'm-2.safetensors' holds"));
  write_index(R"({"weight_map":{"d":"m-1.safetensors"}})");
  EXPECT_THAT(error_of_folder(), HasSubstr("tensor 'd': weight_map says 'm-1.safetensors', which "
                                           "does not hold it"));
}

TEST_F(Sharded, AMissingOrForeignFileIsNamed) {
  write_index(R"({"weight_map":{"a":"none.safetensors"}})");
  EXPECT_THAT(error_of_folder(), HasSubstr("/none.safetensors: cannot open"));
  test::set_content(dir_ / "m-1.safetensors", "version https://git-lfs.github.com/spec/v1\n");
  write_index(kIndex);
  EXPECT_THAT(error_of_folder(), HasSubstr("/m-1.safetensors: the file is a Git LFS pointer"));
}

TEST_F(Sharded, AnIndexDoesNotNameAnIndex) {
  write_index(R"({"weight_map":{"a":"model.safetensors.index.json"}})");
  EXPECT_THAT(error_of_folder(),
              HasSubstr("is an index of shards, expected a file that holds tensors"));
}

TEST_F(Sharded, FilesMayBeLinks) {
  std::filesystem::create_directory(dir_ / "blobs");
  std::filesystem::rename(dir_ / "m-1.safetensors", dir_ / "blobs/1");
  std::filesystem::create_symlink("blobs/1", dir_ / "m-1.safetensors");
  EXPECT_THAT(read_all(dir_.path()), ElementsAre(kB, kC, kA));
}

TEST_F(Sharded, SharedValuesKeepTheirPlace) {
  std::filesystem::remove_all(dir_ / "model.safetensors.index.json");
  const auto writer = create_weights(dir_ / "w.h5", {kA.info, {"z", DType::kF32, {2, 3}}});
  writer->add(test::bytes_of(kA.bytes));
  ASSERT_TRUE(writer->add_name_of(0));
  writer->commit();
  std::filesystem::rename(dir_ / "w.h5", dir_ / "m-2.safetensors");
  const auto reader = open_weights(dir_.path());
  EXPECT_EQ(reader->stored_as(0), 0u);
  EXPECT_EQ(reader->stored_as(1), 1u);
  EXPECT_EQ(reader->stored_as(2), 1u);
}

TEST_F(Sharded, TwoIndexesAreAnError) {
  test::set_content(dir_ / "b.safetensors.index.json", kIndex);
  EXPECT_THAT(error_of_folder(), HasSubstr("holds the indexes"));
}

TEST_F(Sharded, AFolderWithoutWeightsIsNotFound) {
  const test::TempDir empty;
  const auto error = test::error_of_reading(empty.path());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kNotFound);
  EXPECT_THAT(error->what(), HasSubstr("a folder without *.safetensors"));
}

TEST_F(Sharded, ASavedModelIsNamed) {
  const test::TempDir folder;
  test::set_content(folder / "saved_model.pb", "\x08\x01\x12");
  const auto error = test::error_of_reading(folder.path());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error->what(), HasSubstr("a SavedModel of TensorFlow; convert the model to ONNX"));
}

}  // namespace
}  // namespace pqw
