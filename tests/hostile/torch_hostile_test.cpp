// PyTorch files that are broken, or crafted to do harm, one kind each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"
#include "tests/support/pickle_building.h"

namespace pqw {
namespace {

using test::BadFile;
using test::deflated_member;
using test::PickledTensor;
using test::py_call;
using test::py_dict;
using test::py_global;
using test::py_int;
using test::py_list;
using test::py_text;
using test::py_tuple;
using test::torch_legacy;
using test::torch_members;
using test::torch_zip;
using test::u64;
using test::whole_tensor;
using test::zip_of;
using test::ZipMember;

constexpr ErrorCode kFormat = ErrorCode::kFormat;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

const std::string kEight(32, 'x');  // eight floats

// A file of the tensor 'w', whose storage '0' has eight floats.
std::string with_tensor(const PickledTensor& tensor) {
  return torch_zip(py_dict({{"w", tensor.value()}}), {{"0", kEight}});
}
std::string with_view(std::int64_t offset, std::vector<std::int64_t> shape,
                      std::vector<std::int64_t> strides) {
  return with_tensor({.key = "0",
                      .shape = std::move(shape),
                      .n_stored = 8,
                      .offset = offset,
                      .strides = std::move(strides)});
}
std::string with_object(const std::string& object) { return torch_zip(object, {{"0", kEight}}); }

// The tensor 'w' by other arguments of _rebuild_tensor_v2.
std::string with_arguments(void (*change)(test::PickledValues&)) {
  auto arguments = whole_tensor("0", {8}).arguments();
  change(arguments);
  return with_object(
      py_dict({{"w", py_call(py_global("torch._utils", "_rebuild_tensor_v2"), arguments)}}));
}

// The tensor 'w' by another id of its storage.
std::string with_id(const test::PickledValues& id) {
  return with_object(py_dict(
      {{"w", py_call(py_global("torch._utils", "_rebuild_tensor_v2"),
                     {py_tuple(id) + "Q", py_int(0), test::py_ints({8}), test::py_ints({1})})}}));
}

// Members of a good file of one tensor, one of them changed.
template <class Change>
std::string changed_member(const std::string& name, Change change) {
  auto members = torch_members(py_dict({{"w", whole_tensor("0", {8}).value()}}), {{"0", kEight}});
  for (ZipMember& member : members) {
    if (member.name == name) change(member);
  }
  std::erase_if(members, [](const ZipMember& member) { return member.name.empty(); });
  return zip_of(members);
}

std::string with_member(const ZipMember& more) {
  auto members = torch_members(py_dict({{"w", whole_tensor("0", {8}).value()}}), {{"0", kEight}});
  members.push_back(more);
  return zip_of(members);
}

// `value` in that many lists.
std::string nested(std::size_t depth, const std::string& value) {
  return std::string(depth, ']') + value + std::string(depth, 'a');
}

// Lists that each hold the list before twice: 2^n tensors in a few hundred bytes.
std::string doubling(int n) {
  std::string value = "]" + whole_tensor("0", {8}).value() + "a";
  for (int i = 0; i < n; ++i) {
    const std::string index(1, static_cast<char>(i));
    value += "q" + index + "0](h" + index + "h" + index + "e";
  }
  return value;
}

// A dict whose keys are one name of `n_bytes` bytes for each of the tensors.
std::string with_long_names(std::size_t n_bytes, std::size_t n_tensors) {
  const std::string key = py_text(std::string(n_bytes, 'k')) + std::string("q\0000", 3);
  std::string value = key + "](";
  for (std::size_t i = 0; i < n_tensors; ++i) value += std::string("}h\0Ns", 5);
  return value + whole_tensor("0", {8}).value() + "e";
}

// A member whose data hold the header and the data of another one.
std::string with_shared_bytes() {
  auto members = torch_members(py_dict({{"w", whole_tensor("0", {8}).value()}}), {{"0", kEight}});
  const std::string inner = zip_of({{.name = "m/data/1", .stored = kEight}});
  const std::string local = inner.substr(0, inner.find("PK\1\2"));
  members[1].stored = local + std::string(1000, 'x');
  ZipMember hidden{.name = "m/data/1", .stored = kEight, .in_directory_only = true};
  hidden.local_offset = static_cast<std::uint32_t>(zip_of(members).find(local));
  members.push_back(hidden);
  return zip_of(members);
}

// A pickle that declares to unpack to more than allowed, which deflate can reach.
std::string with_huge_pickle() {
  return changed_member("m/data.pkl", [](ZipMember& m) {
    m = deflated_member(m.name, m.stored);
    m.stored += std::string(100'000, 'x');
    m.size = (64u << 20) + 1;
  });
}

const BadFile kBadFiles[] = {
    {"CallsSystem", with_object(py_call(py_global("os", "system"), {py_text("touch /tmp/owned")})),
     kUnsupported, "the saved object is an object of 'os.system', which only its program can read"},
    {"CallsEvalByStack",
     with_object(py_text("builtins") + py_text("eval") + "\x93" + py_text("1") + "\x85R"),
     kUnsupported, "an object of 'builtins.eval'"},
    {"WholeModule",
     with_object(py_global("torch.nn", "Linear") + ")\x81" +
                 py_dict({{"w", whole_tensor("0", {8}).value()}}) + "b"),
     kUnsupported,
     "an object of 'torch.nn.Linear', which only its program can read; in Python: import torch; "
     "model = torch.load(IN, weights_only=False); torch.save(model.state_dict(), OUT)"},
    {"WholeModuleBefore16",
     torch_legacy(py_tuple({py_text("module"), py_global("net", "Net"), "N", "N"}) + "Q)\x81", {}),
     kUnsupported, "an object of 'net.Net'"},
    {"TorchScript", with_member({.name = "m/constants.pkl", .stored = "x"}), kUnsupported,
     "a TorchScript program, not a dict of tensors; in Python: import torch; model = "
     "torch.jit.load(IN)"},
    {"RootIsANumber", with_object(py_int(1)), kUnsupported,
     "the saved object is a number; expected a dict of tensors"},
    {"PickleCutShort",
     changed_member("m/data.pkl", [](ZipMember& m) { m.stored.resize(m.stored.size() / 2); }),
     kFormat, "data.pkl ends before its last opcode"},
    {"PickleEmpty", changed_member("m/data.pkl", [](ZipMember& m) { m.stored.clear(); }), kFormat,
     "data.pkl ends before its last opcode"},
    {"PickleOfGarbage", changed_member("m/data.pkl", [](ZipMember& m) { m.stored = "\xff\xfe"; }),
     kUnsupported, "opcode 0xff at byte 0 of the pickle"},
    {"TextLongerThanThePickle",
     with_object("X\xff\xff\xff\xff"
                 "a"),
     kFormat, "data.pkl ends before its last opcode"},
    {"BytesOf2To63", with_object("\x8e" + u64(1ull << 63)), kFormat,
     "data.pkl ends before its last opcode"},
    {"HugeMemo", with_object("Nr\xff\xff\xff\xff"), kFormat,
     "entry 4294967295 of the memo follows 0 entries"},
    {"DeepLists", with_object(nested(100'000, "N")), kUnsupported,
     "is nested deeper than 64 levels"},
    {"DeepTuples", with_object("N" + std::string(100'000, '\x85')), kUnsupported,
     "is nested deeper than 64 levels"},
    {"ExponentiallyManyTensors", with_object(doubling(40)), kUnsupported,
     "the object has more than"},
    {"OneLongNameForAll", with_object(with_long_names(1 << 20, 100)), kUnsupported,
     "the object has more than 67108864 bytes of names"},
    {"SameNameTwice",
     with_object("}(" + py_text("w") + whole_tensor("0", {8}).value() + py_text("w") +
                 whole_tensor("0", {8}).value() + "u"),
     kUnsupported, "tensor 'w': the file has two tensors of this name"},
    {"SameNameByTwoPaths",
     with_object(py_dict({{"a", py_dict({{"w", whole_tensor("0", {8}).value()}})},
                          {"a.w", whole_tensor("0", {8}).value()}})),
     kUnsupported, "tensor 'a.w': the file has two tensors of this name"},
    {"OffsetBeyondTheStorage", with_view(8, {1}, {1}), kFormat,
     "tensor 'w': shape [1] at 8 with strides [1] reaches beyond the 8 elements of its storage"},
    {"OffsetNegative", with_view(-1, {1}, {1}), kFormat,
     "its offset: expected whole numbers from 0"},
    {"ShapeNegative", with_view(0, {-1}, {1}), kFormat, "its shape: expected whole numbers from 0"},
    {"StrideNegative", with_view(7, {8}, {-1}), kFormat,
     "its strides: expected whole numbers from 0"},
    {"StrideBeyondTheStorage", with_view(0, {2}, {8}), kFormat, "reaches beyond the 8 elements"},
    {"StrideThatOverflows", with_view(0, {3, 3}, {INT64_MAX / 2, INT64_MAX / 2}), kFormat,
     "reaches beyond the 8 elements"},
    {"ShapeThatOverflows", with_view(0, {INT64_MAX, INT64_MAX, 2}, {0, 0, 0}), kFormat,
     "has too many elements"},
    {"ExpandedToExabytes", with_view(0, {1 << 30, 1 << 30}, {0, 0}), kFormat,
     "more than a file of"},
    {"StridesOfAnotherRank", with_view(0, {2, 2}, {1}), kFormat, "1 strides, its shape has rank 2"},
    {"RankTooHigh",
     with_view(0, std::vector<std::int64_t>(65, 1), std::vector<std::int64_t>(65, 1)), kFormat,
     "its shape has 65 numbers, PyTorch allows 64"},
    {"ShapeOfText", with_arguments([](auto& a) { a[2] = py_tuple({py_text("8")}); }), kFormat,
     "its shape: expected whole numbers from 0"},
    {"ShapeOfNone", with_arguments([](auto& a) { a[2] = test::kPyNone; }), kFormat,
     "its shape is not a tuple"},
    {"OffsetOf80Bits", with_arguments([](auto& a) { a[1] = "\x8a\x0a" + std::string(10, '\1'); }),
     kFormat, "its offset: expected whole numbers from 0"},
    {"TensorWithoutStorage", with_arguments([](auto& a) { a[0] = test::kPyNone; }), kFormat,
     "tensor 'w': it has no storage"},
    {"TensorOfTooFewArguments", with_arguments([](auto& a) { a.resize(3); }), kFormat,
     "_rebuild_tensor_v2 has 3 arguments"},
    {"StorageIdIsText", with_arguments([](auto& a) { a[0] = py_text("storage") + "Q"; }), kFormat,
     "the id of its storage is not a tuple of 5 or 6 values"},
    {"StorageOfUnknownClass",
     with_id({py_text("storage"), py_global("evil", "FloatStorage"), py_text("0"), py_text("cpu"),
              py_int(8)}),
     kUnsupported, "its storage has the unknown class 'evil.FloatStorage'"},
    {"StorageKeyIsANumber",
     with_id({py_text("storage"), py_global("torch", "FloatStorage"), py_int(0), py_text("cpu"),
              py_int(8)}),
     kFormat, "the key of its storage is not text"},
    {"StorageOf2To62Elements",
     with_id({py_text("storage"), py_global("torch", "FloatStorage"), py_text("0"), py_text("cpu"),
              py_int(std::int64_t{1} << 62)}),
     kFormat, "its storage has 4611686018427387904 elements"},
    {"StorageIsAPartOfAnother",
     with_id({py_text("storage"), py_global("torch", "FloatStorage"), py_text("0"), py_text("cpu"),
              py_int(8), py_tuple({py_text("1"), py_int(0), py_int(8)})}),
     kUnsupported, "its storage is a part of another one"},
    {"StorageSmallerThanDeclared", with_tensor(whole_tensor("0", {9})), kFormat,
     "tensor 'w': its storage '0' has 32 bytes, expected 36"},
    {"StorageLargerThanDeclared", with_tensor(whole_tensor("0", {7})), kFormat,
     "tensor 'w': its storage '0' has 32 bytes, expected 28"},
    {"StorageMissing", with_tensor(whole_tensor("1", {8})), kFormat,
     "tensor 'w': the member 'm/data/1' with its storage is missing"},
    {"StorageOutsideTheFolder", with_tensor(whole_tensor("../../etc/passwd", {8})), kFormat,
     "the member 'm/data/../../etc/passwd' with its storage is missing"},
    {"StorageTwice", with_member({.name = "m/data/0", .stored = kEight}), kFormat,
     "two members have the same name"},
    {"StorageInsideAnother", with_shared_bytes(), kFormat, "shares bytes with member"},
    {"StorageWithAWrongChecksum", changed_member("m/data/0", [](ZipMember& m) { m.crc = 1; }),
     kFormat, "tensor 'w': the data of its storage do not match their checksum"},
    {"StorageEncrypted", changed_member("m/data/0", [](ZipMember& m) { m.flags = 1; }),
     kUnsupported, "member 'm/data/0': the member is encrypted"},
    {"StorageInBzip2", changed_member("m/data/0", [](ZipMember& m) { m.method = 12; }),
     kUnsupported, "zip compression method 12"},
    {"StorageThatDeflateCannotHold",
     changed_member("m/data/0",
                    [](ZipMember& m) {
                      m = deflated_member(m.name, kEight);
                      m.size = 1 << 30;
                    }),
     kFormat, "deflated bytes cannot hold as many"},
    {"PickleTooLong", with_huge_pickle(), kUnsupported,
     "member 'm/data.pkl': 67108865 bytes, at most 67108864 are allowed"},
    {"ByteOrderUnknown", with_member({.name = "m/byteorder", .stored = "middle"}), kFormat,
     "member 'm/byteorder': 'middle', expected 'little' or 'big'"},
    {"ByteOrderHuge", with_member({.name = "m/byteorder", .stored = kEight}), kUnsupported,
     "member 'm/byteorder': 32 bytes, at most 16 are allowed"},
    {"TwoPickles", with_member({.name = "n/data.pkl", .stored = "x"}), kUnsupported,
     "two members 'm/data.pkl' and 'n/data.pkl', expected one"},
    {"LegacyVersion",
     test::kTorchMagic + test::pickled(py_int(1002)) + test::pickled("}") + test::pickled("}") +
         test::pickled("]"),
     kUnsupported, "the version is not 1001"},
    {"LegacyBigEndian", torch_legacy("}", {}, test::kPyFalse), kUnsupported,
     "written by a big-endian machine"},
    {"LegacyCutInThePickle",
     torch_legacy(py_dict({{"w", whole_tensor("0", {8}).value()}}), {}).substr(0, 150), kFormat,
     "the file ends before its pickles end"},
    {"LegacyCutInAStorage",
     torch_legacy(py_dict({{"w", whole_tensor("0", {8}).value()}}),
                  {{"0", u64(8) + kEight.substr(1)}}),
     kFormat, "storage '0': 32 bytes at"},
    {"LegacyBytesLeft",
     torch_legacy(py_dict({{"w", whole_tensor("0", {8}).value()}}), {{"0", u64(8) + kEight + "x"}}),
     kFormat, "the storages end at"},
    {"LegacyCountDiffers",
     torch_legacy(py_dict({{"w", whole_tensor("0", {8}).value()}}), {{"0", u64(7) + kEight}}),
     kFormat, "storage '0': 7 elements stored, expected 8"},
    {"LegacyStorageMissing", torch_legacy(py_dict({{"w", whole_tensor("0", {8}).value()}}), {}),
     kFormat, "tensor 'w': its storage '0' is missing"},
    {"LegacyStorageUnknown", torch_legacy("}", {{"7", u64(1) + "abcd"}}), kFormat,
     "storage '7': no tensor has this storage"},
    {"LegacyStorageTwice",
     torch_legacy(py_dict({{"w", whole_tensor("0", {8}).value()}}),
                  {{"0", u64(8) + kEight}, {"0", u64(8) + kEight}}),
     kFormat, "storage '0': the storage is listed twice"},
    {"LegacyStorageOfTwoSizes",
     torch_legacy(
         py_dict({{"v", whole_tensor("0", {8}).value()}, {"w", whole_tensor("0", {7}).value()}}),
         {{"0", u64(8) + kEight}}),
     kFormat, "storage '0' has 32 bytes and also 28"},
};

class TorchBadFileTest : public testing::TestWithParam<BadFile> {};

TEST_P(TorchBadFileTest, IsRefused) { test::expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, TorchBadFileTest, testing::ValuesIn(kBadFiles), test::kind_of);

std::vector<std::string> skipped(const std::string& content) {
  const test::TempDir dir;
  test::set_content(dir / "file", content);
  return test::skipped_in(*open_weights(dir / "file"));
}

TEST(TorchHostileTest, WrappersAreRemovedOnlyAFewTimes) {
  std::string value = whole_tensor("0", {8}).value();
  for (int i = 0; i < 1000; ++i) {
    value = py_global("torch._utils", "_rebuild_parameter") + value + "\x85R";
  }
  EXPECT_THAT(skipped(with_object(py_dict({{"w", value}}))),
              testing::ElementsAre("LOST 'w' is a tensor of a class that only its program can read "
                                   "(save it as a plain tensor)"));
}

TEST(TorchHostileTest, TensorsAreFoundInObjectsOfAnyDepth) {
  std::string before, after;
  for (int i = 0; i < 50'000; ++i) {
    before += "cm\nC\n";
    after += "\x85R";
  }
  const std::string tensor = whole_tensor("0", {8}).value();
  EXPECT_THAT(skipped(with_object(py_dict({{"o", before + tensor + after}, {"w", tensor}}))),
              testing::ElementsAre(
                  "LOST 'o' is an object of 'm.C' with 1 tensors (in Python: import torch; saved = "
                  "torch.load(IN, weights_only=False); torch.save(saved['o'].state_dict(), OUT))"));
}

}  // namespace
}  // namespace pqw
