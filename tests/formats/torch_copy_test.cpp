// Copies of PyTorch files with other values.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "formats/zip_archive.h"
#include "tests/formats/file_testing.h"
#include "tests/support/errors.h"
#include "tests/support/pickle_building.h"

namespace pqw {
namespace {

using test::little_endian;
using test::PickledTensor;
using test::py_dict;
using test::torch_legacy;
using test::torch_members;
using test::torch_zip;
using test::u32;
using test::u64;
using test::whole_tensor;
using test::zip_of;

const std::string kSix = little_endian<float>({1, 2, 3, 4, 5, 6});
const std::string kNewSix = little_endian<float>({10, 20, 30, 40, 50, 60});

std::string view(std::int64_t offset, std::vector<std::int64_t> shape,
                 std::vector<std::int64_t> strides) {
  return PickledTensor{.key = "0",
                       .shape = std::move(shape),
                       .n_stored = 6,
                       .offset = offset,
                       .strides = std::move(strides)}
      .value();
}

class TorchCopyTest : public testing::Test {
 protected:
  using Values = std::map<std::string, std::string>;

  void copy(const std::string& original, const Values& values) {
    test::set_content(original_, original);
    std::vector<TensorInfo> infos;
    const auto reader = open_weights(original_);
    for (const TensorInfo& info : reader->tensors()) {
      if (values.contains(info.name)) infos.push_back(info);
    }
    const CopyWriter copy = create_copy(original_, path_, infos);
    for (const TensorInfo& info : infos) copy.writer->add(test::bytes_of(values.at(info.name)));
    copy.writer->commit();
  }
  std::string copied(const std::string& original, const Values& values) {
    copy(original, values);
    return test::content(path_);
  }
  Error error_of_copy(const std::string& original, const Values& values) {
    return test::error_of([&] { copy(original, values); });
  }

  const test::TempDir dir_;
  const std::string original_ = dir_ / "model.pt";
  const std::string path_ = dir_ / "out.pt";
  const std::string w_ = whole_tensor("0", {2, 3}).value();
};

TEST_F(TorchCopyTest, StoragesAndChecksumsAreNewAndAllElseIsAsItWas) {
  const std::string object = py_dict({{"w", w_}, {"kept", whole_tensor("1", {4}, "Byte").value()}});
  EXPECT_EQ(copied(torch_zip(object, {{"0", kSix}, {"1", "abcd"}}), {{"w", kNewSix}}),
            torch_zip(object, {{"0", kNewSix}, {"1", "abcd"}}));
}

TEST_F(TorchCopyTest, ChecksumsAfterTheDataAreNew) {
  const auto file = [&](const std::string& data, const std::string& signature, bool in_header) {
    auto members = torch_members(py_dict({{"w", w_}}), {{"0", data}});
    members[1].flags = 8;
    members[1].after = signature + u32(test::crc32(data)) + u32(24) + u32(24);
    std::string all = zip_of(members);
    const std::size_t local = all.find("m/data/0") - 30;
    if (!in_header) all.replace(local + 14, 12, 12, '\0');  // also the sizes
    return all;
  };
  for (const bool in_header : {false, true}) {
    EXPECT_EQ(copied(file(kSix, "PK\7\x08", in_header), {{"w", kNewSix}}),
              file(kNewSix, "PK\7\x08", in_header));
    std::filesystem::remove(path_);
    EXPECT_EQ(copied(file(kSix, "", in_header), {{"w", kNewSix}}), file(kNewSix, "", in_header));
    std::filesystem::remove(path_);
  }
}

TEST_F(TorchCopyTest, WritesTheFormatBefore16) {
  const std::string object = py_dict({{"w", w_}});
  EXPECT_EQ(copied(torch_legacy(object, {{"0", u64(6) + kSix}}), {{"w", kNewSix}}),
            torch_legacy(object, {{"0", u64(6) + kNewSix}}));
}

TEST_F(TorchCopyTest, WritesViews) {
  const std::string object = py_dict(
      {{"transposed", view(0, {3, 2}, {1, 3})}, {"same", w_}, {"middle", view(2, {2}, {1})}});
  EXPECT_EQ(copied(torch_zip(object, {{"0", kSix}}),
                   {{"transposed", little_endian<float>({10, 40, 20, 50, 30, 60})},
                    {"same", kNewSix},
                    {"middle", little_endian<float>({30, 40})}}),
            torch_zip(object, {{"0", kNewSix}}));
}

TEST_F(TorchCopyTest, KeepsElementsOfAStorageThatNoTensorHas) {
  const std::string object = py_dict({{"column", view(1, {2}, {3})}});
  EXPECT_EQ(copied(torch_zip(object, {{"0", kSix}}), {{"column", little_endian<float>({20, 50})}}),
            torch_zip(object, {{"0", little_endian<float>({1, 20, 3, 4, 50, 6})}}));
}

TEST_F(TorchCopyTest, WritesBigEndianFiles) {
  const auto file = [](const std::string& data) {
    auto members = torch_members(py_dict({{"c", whole_tensor("0", {1}, "ComplexFloat").value()}}),
                                 {{"0", data}});
    members.push_back({.name = "m/byteorder", .stored = "big"});
    return zip_of(members);
  };
  EXPECT_EQ(copied(file("abcdefgh"), {{"c", "12345678"}}), file("43218765"));
}

TEST_F(TorchCopyTest, TensorsThatShareElementsNeedEqualValues) {
  const std::string object = py_dict({{"w", w_}, {"row", view(3, {3}, {1})}});
  const Error error = error_of_copy(torch_zip(object, {{"0", kSix}}),
                                    {{"w", kNewSix}, {"row", little_endian<float>({1, 2, 3})}});
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.what(), original_ +
                              ": tensor 'w': it shares elements of storage '0' with other tensors, "
                              "which were given other values; decode to safetensors, or quantize "
                              "with all of them left out (--exclude)");
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(TorchCopyTest, ATensorThatIsKeptKeepsItsElements) {
  const std::string object = py_dict({{"w", w_}, {"row", view(3, {3}, {1})}});
  EXPECT_THAT(error_of_copy(torch_zip(object, {{"0", kSix}}), {{"w", kNewSix}}).what(),
              testing::HasSubstr("tensor 'row': it shares elements of storage '0'"));
}

TEST_F(TorchCopyTest, AnExpandedTensorNeedsEqualElements) {
  const std::string file = torch_zip(py_dict({{"e", view(0, {2}, {0})}}), {{"0", kSix}});
  EXPECT_THAT(error_of_copy(file, {{"e", little_endian<float>({1, 2})}}).what(),
              testing::HasSubstr("tensor 'e': it shares elements"));
  copy(file, {{"e", little_endian<float>({7, 7})}});
}

// The members of a zip archive in the file.
std::map<std::string, std::string> members_of(const std::string& path) {
  const InputFile file(path);
  const ZipPtr zip = open_zip(file);
  std::map<std::string, std::string> members;
  for (const ZipPlace& place : zip_places(file, *zip)) {
    EXPECT_FALSE(place.is_packed) << place.name;
    unpack_member({}, *zip, place, [&](std::span<const std::byte> bytes) {
      members[place.name].append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    });
  }
  return members;
}

TEST_F(TorchCopyTest, DeflatedMembersAreStoredInTheCopy) {
  const std::string pickle =
      test::pickled(py_dict({{"w", w_},
                             {"kept", whole_tensor("1", {4}, "Byte").value()},
                             {"none", whole_tensor("2", {0}, "Byte").value()}}));
  const std::string before = zip_of({test::deflated_member("m/data.pkl", pickle),
                                     test::deflated_member("m/data/0", kSix),
                                     {"m/data/1", "abcd"},
                                     {"m/data/2", ""},
                                     test::deflated_member("m/version", "3\n")});
  copy(before, {{"w", kNewSix}});
  EXPECT_EQ(members_of(path_), (std::map<std::string, std::string>{{"m/data.pkl", pickle},
                                                                   {"m/data/0", kNewSix},
                                                                   {"m/data/1", "abcd"},
                                                                   {"m/version", "3\n"}}));
  EXPECT_EQ(test::content(original_), before);
  EXPECT_EQ(open_weights(path_)->tensors().size(), 3u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()), {}), 2);
}

TEST_F(TorchCopyTest, TensorsThatShareAPackedStorageNeedEqualValues) {
  const std::string file =
      zip_of({test::deflated_member("m/data.pkl",
                                    test::pickled(py_dict({{"a", w_}, {"b", view(0, {2}, {1})}}))),
              test::deflated_member("m/data/0", kSix)});
  EXPECT_THAT(error_of_copy(file, {{"a", kNewSix}}).what(),
              testing::HasSubstr("tensor 'b': it shares elements of storage '0'"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace pqw
