// .keras files that are broken, or crafted to do harm, one kind each.
#include <functional>

#include "tests/formats/file_testing.h"
#include "tests/formats/keras_testing.h"
#include "tests/formats/zip_building.h"

namespace pqw {
namespace {

using test::BadFile;
using test::deflated_member;
using test::zip_of;
using test::ZipMember;
using testing::Contains;
using testing::ElementsAre;

constexpr ErrorCode kFormat = ErrorCode::kFormat, kUnsupported = ErrorCode::kUnsupported;
constexpr char kWeights[] = "model.weights.h5", kConfig[] = "config.json";
// The class of the first layer, whose kernel has rank 3.
constexpr char kConv1D[] = R"({"class_name":"Conv1D","config":{"name":"first"}})";

const std::string& good() {
  static const std::string bytes = test::keras_weights();
  return bytes;
}

std::string with_weights(const std::string& bytes) { return zip_of({{kWeights, bytes}}); }

ZipMember stored() { return {kWeights, good()}; }
ZipMember deflated() { return deflated_member(kWeights, good()); }

// The file of a changed member, which is the only one.
std::string changed(ZipMember member, const std::function<void(ZipMember&)>& change) {
  change(member);
  return zip_of({member});
}

std::string damaged(std::size_t at, const std::string& bytes) {
  std::string weights = good();
  return with_weights(weights.replace(at, bytes.size(), bytes));
}

std::string beside_the_weights(const ZipMember& member) { return zip_of({stored(), member}); }

// A second member that names the bytes of the first.
std::string with_second_name() {
  return zip_of({stored(),
                 {.name = "x",
                  .stored = good(),
                  .local_name = kWeights,
                  .local_offset = 0,
                  .in_directory_only = true}});
}

// What deflate can hold, but more than weights shrink.
std::string bomb() {
  return changed(deflated(), [](ZipMember& m) {
    m.stored.resize(100'000);
    m.size = 100'000'000;
  });
}

constexpr char kDamaged[] = "; the file is damaged; fetch it or save it again";

std::vector<BadFile> bad_files() {
  const std::string whole = with_weights(good());
  const std::string no_zip = "not a readable zip archive: Not a zip archive";
  const std::string inconsistent = "not a readable zip archive: Zip archive inconsistent";
  const std::string unknown = "the file is a zip archive of 1 members, none of them a .npy or ";
  const std::string weights = "member 'model.weights.h5': ", config = "member 'config.json': ";
  std::vector<BadFile> files = {
      {"CutInTheWeights", whole.substr(0, 1000), kFormat, no_zip + kDamaged},
      {"CutInTheDirectory", whole.substr(0, whole.size() - 30), kFormat, no_zip + kDamaged},
      {"CutInTheEnd", whole.substr(0, whole.size() - 1), kFormat, no_zip + kDamaged},
      {"DirectoryBeyondTheFile", zip_of({stored()}, {.directory_offset = 1 << 30}), kFormat,
       inconsistent + kDamaged},
      {"FewerMembersThanCounted", zip_of({stored()}, {.n_members = 2}), kFormat,
       inconsistent + kDamaged},
      {"SeveralDisks", zip_of({stored()}, {.disk = 1}), kFormat,
       "not a readable zip archive: Multi-disk zip archives not supported"},
      {"SameNameTwice", zip_of({stored(), stored()}), kFormat,
       std::string("not a readable zip archive: two members have the same name") + kDamaged},
      {"AnotherNameBeforeTheData",
       changed(stored(), [](ZipMember& m) { m.local_name = "model.weights.h6"; }), kFormat,
       inconsistent + kDamaged},
      {"TwoNamesOfTheSameBytes", with_second_name(), kFormat, inconsistent + kDamaged},
      {"WeightsInAFolder", zip_of({{"m/model.weights.h5", good()}}), kFormat,
       unknown + "model.weights.h5: 'm/model.weights.h5'; unzip it and name the weight file"},
      {"WeightsInTheParent", zip_of({{"../model.weights.h5", good()}}), kFormat,
       unknown + "model.weights.h5: '../model.weights.h5'; unzip it and name the weight file"},
      {"NameInCapitals", zip_of({{"Model.Weights.h5", good()}}), kFormat,
       unknown + "model.weights.h5: 'Model.Weights.h5'; unzip it and name the weight file"},
      {"NameWithAZeroByte", zip_of({{std::string("model.weights.h5\0x", 18), good()}}), kFormat,
       unknown + "model.weights.h5: 'model.weights.h5 x'; unzip it and name the weight file"},
      {"ConfigAlone", zip_of({{kConfig, kConv1D}}), kFormat,
       unknown + "model.weights.h5: 'config.json'; unzip it and name the weight file"},
      {"ConfigWithAWrongChecksum", beside_the_weights({.name = kConfig, .stored = "{}", .crc = 1}),
       kFormat, config + "the member is broken: CRC error" + kDamaged},
      {"ConfigEncrypted", beside_the_weights({.name = kConfig, .stored = "{}", .flags = 1}),
       kUnsupported,
       config + "the member is encrypted; unzip the file with its password, and zip it again"},
      {"ConfigTooLong", beside_the_weights({kConfig, std::string((16 << 20) + 1, ' ')}),
       kUnsupported,
       config + "16777217 bytes, expected 16777216 at most; remove it: zip -d FILE config.json"},
      {"NoHdf5", with_weights("x"), kFormat, weights + "not an HDF5 file; save the model again"},
      {"NoBytes", with_weights(""), kFormat, weights + "not an HDF5 file; save the model again"},
      {"ZipAsWeights", with_weights(whole), kFormat,
       weights + "not an HDF5 file; save the model again"},
      {"Checksum", changed(stored(), [](ZipMember& m) { m.crc = 1; }), kFormat,
       weights + "its checksum does not match" + kDamaged},
      {"ChecksumDeflated", changed(deflated(), [](ZipMember& m) { m.crc = 1; }), kFormat,
       weights + "the member is broken: CRC error" + kDamaged},
      {"DeflateBroken", changed(deflated(), [](ZipMember& m) { m.stored[0] = '\xff'; }), kFormat,
       weights + "the member is broken: Zlib error: data error" + kDamaged},
      {"DeflateCut", changed(deflated(), [](ZipMember& m) { m.stored.resize(2000); }), kFormat,
       weights + "the member is broken: CRC error" + kDamaged},
      {"DeflateDeclaresLess", changed(deflated(), [](ZipMember& m) { *m.size -= 1; }), kFormat,
       weights + "the member holds more bytes than it declares" + kDamaged},
      {"DeflateDeclaresMore", changed(deflated(), [](ZipMember& m) { *m.size += 1; }), kFormat,
       weights + "the member holds fewer bytes than it declares" + kDamaged},
      {"SizeBeyondDeflate", changed(deflated(), [](ZipMember& m) { m.size = 0xfffffff0u; }),
       kFormat,
       weights + "the member declares 4294967280 bytes, 8885 deflated bytes cannot hold as many"},
      {"Bomb", bomb(), kFormat, weights + "its 100000000 bytes are too many: a file of "},
      {"StoredDeclaresMore", changed(stored(), [](ZipMember& m) { m.size = 10'000; }), kFormat,
       weights + "the member is stored in 8880 bytes, but declares 10000" + kDamaged},
      {"Encrypted", changed(stored(), [](ZipMember& m) { m.flags = 1; }), kUnsupported,
       weights + "the member is encrypted; unzip the file with its password, and zip it again"},
      {"OtherMethod", changed(stored(), [](ZipMember& m) { m.method = 12; }), kUnsupported,
       weights + "zip compression method 12, known are stored (0) and deflated (8); unzip the "},
      {"OffsetsOf9Bytes", damaged(13, "\x9"), kFormat,
       std::string("cannot open: bad byte number in an address") + kDamaged},
      {"RootBeyondTheFile", damaged(64, std::string(8, '\x7f')), kFormat,
       std::string("cannot open: address of object past end of allocation") + kDamaged},
      {"EndBeyondTheFile", damaged(40, "\xff\xff\xff"), kFormat,
       "cannot open: truncated file: eof = "},
      {"BytesAfterTheEnd", with_weights(good() + "x"), kFormat,
       std::string("8881 bytes long, its superblock says 8880") + kDamaged},
  };
  for (const std::size_t n : {100ul, 1000ul, 2500ul}) {
    files.push_back({"WeightsCutAt" + std::to_string(n), with_weights(good().substr(0, n)), kFormat,
                     "cannot open: truncated file: eof = " + std::to_string(n)});
  }
  return files;
}

class BadKeras : public testing::TestWithParam<BadFile> {};
TEST_P(BadKeras, IsRefused) { test::expect_refused(GetParam()); }
INSTANTIATE_TEST_SUITE_P(, BadKeras, testing::ValuesIn(bad_files()), test::kind_of);

// A file whose weights can be read: what is strange about it must not matter.
class OddKeras : public testing::Test {
 protected:
  std::unique_ptr<WeightReader> open(const std::vector<ZipMember>& beside) {
    std::vector<ZipMember> members = beside;
    members.push_back(stored());
    test::set_content(dir_ / "m.keras", zip_of(members));
    return open_weights(dir_ / "m.keras");
  }
  // Of the tensors layers/dense/vars/0 and layers/first/vars/0.
  static Layout dense(const WeightReader& reader) { return reader.tensors().at(0).layout; }
  static Layout first(const WeightReader& reader) { return reader.tensors().at(1).layout; }

  const test::TempDir dir_;
};

TEST_F(OddKeras, WithoutAConfigNamesTellTheKinds) {
  const auto reader = open({});
  EXPECT_EQ(dense(*reader), (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_EQ(first(*reader), Layout());
}

TEST_F(OddKeras, ConfigsThatAreNotJsonAreReported) {
  for (const std::string config : {"", "{", "nan", "{\"a\":1}}", "\xff\xfe{", "PK\3\4"}) {
    const auto reader = open({{kConfig, config}});
    EXPECT_EQ(dense(*reader), (Layout{Kind::kLinear, {1, 0}}));
    EXPECT_THAT(
        test::skipped_in(*reader),
        ElementsAre("'config.json' is not JSON; the kinds of layers follow from their names "
                    "alone"))
        << config;
  }
}

TEST_F(OddKeras, ConfigsOfOtherThingsAreIgnored) {
  for (const std::string config : {"[]", "1", R"({"class_name":1,"config":{"name":"first"}})",
                                   R"({"class_name":"Conv1D","config":[]})",
                                   R"({"class_name":"Conv1D","config":{"name":["first"]}})",
                                   R"({"class_name":"conv1d","config":{"name":"first"}})",
                                   R"({"class_name":"Conv1D\u0000","config":{"name":"first"}})"}) {
    EXPECT_EQ(first(*open({{kConfig, config}})), Layout()) << config;
  }
}

TEST_F(OddKeras, ConfigsMayNestDeep) {
  constexpr std::size_t kDeep = 1'000'000;
  const std::string inner = std::string(kDeep, '[') + std::string(kDeep, ']');
  const auto reader =
      open({{kConfig, std::string(R"({"x":)") + inner + R"(,"y":)" + kConv1D + "}"}});
  EXPECT_EQ(first(*reader), (Layout{Kind::kConv, {2, 1, 0}})) << "the class after the deep part";
  EXPECT_THAT(test::skipped_in(*reader), ElementsAre("'config.json' is not the weights"));
}

// With a callback, the parser takes the square of their number.
TEST_F(OddKeras, ConfigsMayHaveManyObjects) {
  std::string config = "[";
  for (int i = 0; i < 1'000'000; ++i) config += "{},";
  EXPECT_EQ(first(*open({{kConfig, config + kConv1D + "]"}})), (Layout{Kind::kConv, {2, 1, 0}}));
}

TEST_F(OddKeras, NamesOfOtherMembersAreNeverOpened) {
  constexpr std::uint16_t kUtf8 = 1 << 11;  // a flag
  const auto reader = open({{"../../etc/passwd", "x"},
                            {"/etc/passwd", "x"},
                            {"C:\\w", "x"},
                            {.name = "\xc3\xa4", .stored = "x", .flags = kUtf8},

                            {"assets/", ""}});
  EXPECT_EQ(reader->tensors().size(), 2u);
  EXPECT_THAT(test::skipped_in(*reader), Contains("'../../etc/passwd' is not the weights"));
  EXPECT_THAT(test::skipped_in(*reader), Contains("'\xc3\xa4' is not the weights"));
}

}  // namespace
}  // namespace pqw
