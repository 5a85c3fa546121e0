// Manifests of TensorFlow.js that break a rule, or try to lead somewhere else.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using test::BadFile;

constexpr ErrorCode kFormat = ErrorCode::kFormat;

std::string manifest(const std::string& groups) { return R"({"weightsManifest":)" + groups + "}"; }

// One group of the file "four", which has four bytes.
std::string weights(const std::string& list) {
  return manifest(R"([{"paths":["four"],"weights":)" + list + "}]");
}

// One weight "w" of these fields.
std::string weight(const std::string& fields) {
  return weights(R"([{"name":"w",)" + fields + "}]");
}

std::string paths(const std::string& list) {
  return manifest(R"([{"paths":)" + list +
                  R"(,"weights":[{"name":"w","shape":[1],"dtype":"float32"}]}])");
}

std::string quantized(const std::string& fields, const std::string& dtype = "float32") {
  return weight(R"("shape":[4],"dtype":")" + dtype + R"(","quantization":)" + fields);
}

const std::string kLeadsOut = "expected the name of a file in the same folder";

const BadFile kBadFiles[] = {
    {"CutShort", R"({"weightsManifest":[{"paths":)", kFormat, "not valid JSON"},
    {"ManifestNested", R"({"x":{"weightsManifest":[]}})", kFormat, "weightsManifest is missing"},
    {"ManifestIsAnObject", manifest("{}"), kFormat, "weightsManifest is an object, expected"},
    {"ManifestTwice", R"({"weightsManifest":[],"weightsManifest":[]})", kFormat, "occurs twice"},
    {"GroupIsANumber", manifest("[1]"), kFormat, "weightsManifest holds 1, expected objects"},
    {"PathsMissing", manifest(R"([{"weights":[]}])"), kFormat, "paths is missing"},
    {"PathsIsAString", paths("\"four\""), kFormat, "paths is a string, expected an array"},
    {"PathIsANumber", paths("[4]"), kFormat, "paths holds 4, expected strings"},
    {"PathInTheParent", paths("[\"../four\"]"), kFormat, kLeadsOut},
    {"PathIsAbsolute", paths("[\"/etc/passwd\"]"), kFormat, kLeadsOut},
    {"PathIsEmpty", paths("[\"\"]"), kFormat, kLeadsOut},
    {"PathIsAnAddress", paths("[\"https://host/w.bin\"]"), kFormat, kLeadsOut},
    {"PathTwice", paths("[\"four\",\"four\"]"), kFormat, "names 'four' twice"},
    {"PathIsMissing", paths("[\"none\"]"), ErrorCode::kNotFound, "none: cannot open"},
    {"PathIsAFifo", paths("[\"fifo\"]"), kFormat, "fifo: not a regular file"},
    {"PathIsADevice", paths("[\"device\"]"), kFormat, "device: not a regular file"},
    {"WeightsMissing", manifest(R"([{"paths":["four"]}])"), kFormat, "weights is missing"},
    {"WeightIsNull", weights("[null]"), kFormat, "weights holds null, expected objects"},
    {"NameMissing", weights(R"([{"shape":[1],"dtype":"float32"}])"), kFormat, "name is missing"},
    {"NameIsANumber", weights(R"([{"name":1,"shape":[1],"dtype":"float32"}])"), kFormat,
     "name is 1, expected a string"},
    {"NameTwice",
     weights(R"([{"name":"w","shape":[1],"dtype":"uint16"},{"name":"w","shape":[1],)"
             R"("dtype":"uint16"}])"),
     kFormat, "tensor 'w': the name occurs twice"},
    {"ShapeMissing", weight(R"("dtype":"float32")"), kFormat, "tensor 'w': shape is missing"},
    {"SizeNegative", weight(R"("shape":[-1],"dtype":"float32")"), kFormat, "shape holds -1"},
    {"SizeFractional", weight(R"("shape":[1.5],"dtype":"float32")"), kFormat, "shape holds 1.5"},
    {"SizeOver63Bits", weight(R"("shape":[9223372036854775808],"dtype":"float32")"), kFormat,
     "shape holds 9223372036854775808"},
    {"SizesThatOverflow", weight(R"("shape":[4294967296,4294967296,4],"dtype":"uint8")"), kFormat,
     "is too large: its sizes exceed 63 bits"},
    {"RankOf33",
     weight(R"("shape":[1)" +
            [] {
              std::string ones;
              for (int i = 0; i < 32; ++i) ones += ",1";
              return ones;
            }() +
            R"(],"dtype":"float32")"),
     kFormat, "33 dimensions"},
    {"DtypeMissing", weight(R"("shape":[1])"), kFormat, "dtype is missing"},
    {"DtypeUnknown", weight(R"("shape":[1],"dtype":"float8")"), ErrorCode::kUnsupported,
     "tensor 'w': dtype 'float8'"},
    {"TooFewBytes", weight(R"("shape":[2],"dtype":"float32")"), kFormat,
     "tensor 'w': 8 bytes from byte 0 of its files, which hold 4"},
    {"BytesLeft", weight(R"("shape":[3],"dtype":"uint8")"), kFormat,
     "the weights of a group take 3 bytes, its files hold 4"},
    {"HugeWeight", weight(R"("shape":[1152921504606846976],"dtype":"uint8")"), kFormat,
     "1152921504606846976 bytes from byte 0"},
    {"TextsBeyondTheFile", weight(R"("shape":[2],"dtype":"string")"), kFormat,
     "its texts end beyond its files"},
    {"ManyTexts", weight(R"("shape":[1000000000000],"dtype":"string")"), kFormat,
     "1000000000000 texts, expected at most"},
    {"QuantizationIsAString", quantized("\"uint8\""), kFormat,
     "quantization: it is a string, expected an object"},
    {"QuantizationWithoutDtype", quantized(R"({"scale":1,"min":0})"), kFormat, "dtype is missing"},
    {"QuantizationOfAnUnknownDtype", quantized(R"({"dtype":"int3","scale":1,"min":0})"),
     ErrorCode::kUnsupported, "dtype 'int3'"},
    {"QuantizationToFloats", quantized(R"({"dtype":"float32","scale":1,"min":0})"), kFormat,
     "dtype F32, expected uint8, uint16"},
    {"QuantizationOfBools", quantized(R"({"dtype":"uint8","scale":1,"min":0})", "bool"), kFormat,
     "of type BOOL, expected F32 or I32"},
    {"QuantizationWithoutScale", quantized(R"({"dtype":"uint8","min":0})"), kFormat,
     "scale is missing, expected a number"},
    {"QuantizationWithATextAsMin", quantized(R"({"dtype":"uint8","scale":1,"min":"0"})"), kFormat,
     "min is a string, expected a number"},
    {"QuantizationBeyondDouble", quantized(R"({"dtype":"uint8","scale":1e999,"min":0})"), kFormat,
     "not valid JSON"},
};

class HostileTfjs : public testing::TestWithParam<BadFile> {};

TEST_P(HostileTfjs, IsRefused) {
  const test::TempDir dir;
  test::set_content(dir / "model.json", GetParam().content);
  test::set_content(dir / "four", std::string("\0\0\0\0", 4));
  std::filesystem::create_symlink("/dev/zero", dir / "device");
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  const auto error = test::error_of_reading(dir / "model.json");
  ASSERT_TRUE(error) << "was accepted";
  EXPECT_EQ(error->code(), GetParam().code) << error->what();
  EXPECT_THAT(error->what(), testing::StartsWith(dir.path().string()));
  EXPECT_THAT(error->what(), testing::HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(, HostileTfjs, testing::ValuesIn(kBadFiles), test::kind_of);

}  // namespace
}  // namespace pqw
