// Outputs that are refused before any work: those that are inputs, and names of other formats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "pqw/compress/compress.h"
#include "pqw/core/error.h"
#include "pqw/pipeline/decode.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::content;
using testing::HasSubstr;

class Outputs : public testing::Test {
 protected:
  Outputs() {
    test::write_normal_weights(input_, {{"w", DType::kF32, {64, 64}}});
    compress(input_, archive_, recipe_);
  }

  template <class Action>
  std::string message_of(const Action& action) const {
    const auto n_files = count_files();
    try {
      action();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_EQ(count_files(), n_files);
      return error.what();
    }
    return "no error";
  }

  std::ptrdiff_t count_files() const {
    return std::distance(std::filesystem::directory_iterator(dir_.path()), {});
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "m.safetensors";
  const std::string archive_ = dir_ / "m.h5";
  const Recipe recipe_{.defaults = {{"centroids", "4"}, {"iterations", "1"}}};
};

TEST_F(Outputs, CompressDoesNotReplaceItsInput) {
  const std::string before = content(input_);
  std::filesystem::create_symlink(input_, dir_ / "link.h5");
  for (const std::string& output : {input_, dir_ / "./m.safetensors", dir_ / "link.h5"}) {
    const std::string message = input_ + ": input and output are the same file" +
                                (input_ == output ? "" : ": " + output) +
                                "; give the output another name";
    EXPECT_EQ(message_of([&] { compress(input_, output, recipe_, {.overwrite = true}); }), message);
    EXPECT_EQ(message_of([&] { plan_compression(input_, recipe_, output); }), message);
  }
  EXPECT_TRUE(content(input_) == before);
}

TEST_F(Outputs, CompressDoesNotReplaceTheRecipe) {
  Recipe recipe = recipe_;
  recipe.file = dir_ / "r.h5";
  std::ofstream(recipe.file) << "defaults: {}";
  EXPECT_THAT(message_of([&] { compress(input_, recipe.file, recipe, {.overwrite = true}); }),
              HasSubstr("input and output are the same file"));
  EXPECT_EQ(content(recipe.file), "defaults: {}");
}

TEST_F(Outputs, CompressDoesNotRemoveAnInputThatHasTheNameOfItsTemporary) {
  const std::string temporary = dir_ / "new.h5.pqw.tmp", part = dir_ / "new.h5.pqw.parts/a.part";
  std::filesystem::create_directory(dir_ / "new.h5.pqw.parts");
  std::filesystem::copy_file(input_, temporary);
  std::filesystem::copy_file(input_, part);
  for (const std::string& input : {temporary, part}) {
    EXPECT_THAT(message_of([&] { compress(input, dir_ / "new.h5", recipe_, {.overwrite = true}); }),
                HasSubstr("input and output are the same file"));
    EXPECT_TRUE(content(input) == content(input_));
  }
}

TEST_F(Outputs, DecompressDoesNotReplaceItsArchive) {
  const std::string before = content(archive_);
  std::filesystem::create_hard_link(archive_, dir_ / "other.npz");
  for (const std::string& output : {archive_, dir_ / "other.npz"}) {
    EXPECT_EQ(message_of([&] { decode_archive(archive_, output, "", true); }),
              archive_ + ": input and output are the same file" +
                  (archive_ == output ? "" : ": " + output) + "; give the output another name");
  }
  EXPECT_TRUE(content(archive_) == before);
}

TEST_F(Outputs, ArchivesDoNotTakeTheExtensionsOfOtherFormats) {
  for (const char* name : {"o.safetensors", "o.onnx", "o.npz", "o.NPY", "o.pt", "o.yaml"}) {
    const std::string output = dir_ / name;
    const std::string message =
        output + ": an archive is an HDF5 file: expected the extension .h5, .hdf5 or .pqw, found ";
    EXPECT_THAT(message_of([&] { compress(input_, output, recipe_, {.overwrite = true}); }),
                HasSubstr(message));
    EXPECT_THAT(message_of([&] { plan_compression(input_, recipe_, output); }), HasSubstr(message));
    // Before the input is looked at.
    EXPECT_THAT(message_of([&] { compress("none", output, recipe_, {.overwrite = true}); }),
                HasSubstr(message));
  }
  for (const char* name : {"o.h5", "o.hdf5", "o.pqw", "o.PQW", "o", "o.v1.2", ".o"}) {
    compress(input_, dir_ / name, recipe_);
    EXPECT_TRUE(content(dir_ / name) == content(archive_)) << name;
  }
}

TEST_F(Outputs, DecodedFilesNeedAKnownExtension) {
  for (const auto& [name, rest] :
       {std::pair<std::string, std::string>("x.foo",
                                            "'.foo', expected .safetensors, .npy, .npz, "
                                            ".h5 or .hdf5"),
        {"x", "'', expected .safetensors"},
        {"x.safetensor", "did you mean '.safetensors'?"},
        {"x.npx", "did you mean '.npy'?"}}) {
    const std::string output = dir_ / name;
    const std::string archive = "none.h5";  // is not looked at
    const std::string message = message_of([&] { decode_archive(archive, output, "", false); });
    EXPECT_THAT(message, testing::StartsWith(output + ": unknown extension "));
    EXPECT_THAT(message, HasSubstr(rest));
  }
}

}  // namespace
}  // namespace pqw
