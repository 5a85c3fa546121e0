// Copies of weight files in which some tensors have other values.
#include "formats/formats.h"
#include "tests/formats/file_testing.h"
#include "tests/support/errors.h"

namespace pqw {
namespace {

using test::Tensor;

class Template : public testing::Test {
 protected:
  Error error_of_copy(const std::vector<TensorInfo>& tensors,
                      const std::string& output = "out.safetensors") {
    return test::error_of([&] { (void)create_copy(original_, dir_ / output, tensors); });
  }

  const test::TempDir dir_;
  const std::string original_ = dir_ / "original.safetensors";
  const Tensor a_ = test::counting("a", DType::kF32, {2, 3});
  const Tensor b_ = test::counting("b", DType::kI8, {5});
};

TEST_F(Template, CopyHasNewValuesAndEverythingElseAsItWas) {
  // The spaces in the header are not those that this library writes.
  const std::string before = R"({ "b" : {"dtype":"I8","shape":[5],"data_offsets":[0,5]},)"
                             R"("a":{"shape":[2,3],"dtype":"F32","data_offsets":[5,29]} } )";
  const std::string head = test::little_endian<std::uint64_t>({before.size()}) + before;
  test::set_content(original_, head + b_.bytes + a_.bytes);

  CopyWriter copy = create_copy(original_, dir_ / "out.safetensors", {a_.info});
  const std::string other(24, 'x');
  copy.writer->add(test::bytes_of(other));
  copy.writer->commit();
  EXPECT_EQ(copy.kept, std::vector<std::string>{"b"});
  EXPECT_EQ(test::content(dir_ / "out.safetensors"), head + b_.bytes + other);
}

TEST_F(Template, TensorsMustBeThoseOfTheOriginal) {
  test::write_all(original_, {a_, b_});
  TensorInfo info = a_.info;
  info.shape = {3, 2};
  EXPECT_EQ(
      error_of_copy({info}).what(),
      original_ +
          ": tensor 'a': the template has F32 of shape [2, 3], the archive F32 of shape [3, 2]");
  info = a_.info;
  info.dtype = DType::kI32;
  EXPECT_THAT(error_of_copy({info}).what(), testing::HasSubstr("the archive I32 of shape [2, 3]"));
  EXPECT_THAT(error_of_copy({b_.info, {"c", DType::kI8, {5}}}).what(),
              testing::EndsWith("tensor 'c': the template does not have this tensor"));
  EXPECT_THAT(error_of_copy({b_.info, b_.info}).what(),
              testing::EndsWith("tensor 'b': the name is given twice"));
}

TEST_F(Template, OutputHasAnExtensionOfTheOriginal) {
  test::write_all(original_, {a_});
  EXPECT_EQ(error_of_copy({a_.info}, "out.npz").what(),
            dir_ / "out.npz: extension '.npz', but the template " + original_ +
                " is a safetensors file; expected the extension '.safetensors'");
  // The extension of the original itself fits, whatever it is.
  test::set_content(dir_ / "weights.bin", test::content(original_));
  CopyWriter copy = create_copy(dir_ / "weights.bin", dir_ / "new.bin", {a_.info});
  copy.writer->add(test::bytes_of(a_.bytes));
  copy.writer->commit();
  EXPECT_EQ(test::content(dir_ / "new.bin"), test::content(original_));
}

TEST_F(Template, OutputIsNotTheOriginal) {
  test::write_all(original_, {a_});
  EXPECT_THAT(error_of_copy({a_.info}, "original.safetensors").what(),
              testing::HasSubstr("input and output are the same file"));
}

TEST_F(Template, FormatWithoutTemplatesIsRefused) {
  test::write_all(dir_ / "a.npy", {a_});
  const Error error =
      test::error_of([&] { (void)create_copy(dir_ / "a.npy", dir_ / "b.npy", {}); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.what(), testing::HasSubstr("a .npy file cannot be a template; expected "));
  EXPECT_THAT(error.what(), testing::EndsWith("or .hdf5 outputs need no template"));
}

TEST(TemplateFormats, AreNamedForOutputsThatOnlyACopyWrites) {
  const auto message = [](const char* path) {
    return std::string(test::error_of([&] { (void)format_of_output(path); }).what());
  };
  EXPECT_THAT(message("w.pth"),
              testing::StartsWith("w.pth: a PyTorch file is only written as a copy "
                                  "of one: name the original with --template"));
  EXPECT_THAT(message("w.keras"), testing::HasSubstr("a .keras file is only written as a copy"));
  EXPECT_THAT(message("w.gguf"), testing::HasSubstr("unknown extension '.gguf'"));
}

TEST_F(Template, FolderNeedsNone) {
  test::write_all(original_, {a_});
  const Error error = test::error_of([&] { (void)create_copy(dir_ / "", dir_ / "out/", {}); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.what(),
              testing::HasSubstr("a folder cannot be a template; name an output that ends in '/'"));
}

}  // namespace
}  // namespace pqw
