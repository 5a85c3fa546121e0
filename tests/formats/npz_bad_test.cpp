// .npz files that break a rule of zip or of .npy, or hold what is no tensor, one kind each.
#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"
#include "tests/formats/zip_building.h"

namespace pqw {
namespace {

using test::BadFile;
using test::crc32;
using test::deflated;
using test::deflated_member;
using test::npy_of;
using test::u16;
using test::u32;
using test::u64;
using test::zip_of;
using test::ZipMember;

constexpr ErrorCode kFormat = ErrorCode::kFormat;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

const std::string kNpy = npy_of("|u1", "(3,)", "abc");
const ZipMember kGood{.name = "w.npy", .stored = kNpy};
const ZipMember kGoodDeflated = deflated_member("w.npy", kNpy);

// A copy with one thing changed.
template <class Change>
std::string changed(ZipMember member, Change change) {
  change(member);
  return zip_of({member});
}

std::string without_end(std::size_t n_bytes) {
  const std::string archive = zip_of({kGood});
  return archive.substr(0, archive.size() - n_bytes);
}

// One member whose true sizes stand in a zip64 field.
std::string with_zip64_sizes(std::uint64_t size, std::uint64_t stored_size) {
  return changed(kGoodDeflated, [&](ZipMember& m) {
    m.size = m.stored_size = 0xffffffff;
    m.extra = u16(1) + u16(16) + u64(size) + u64(stored_size);
  });
}

// A member of 50 KB that declares to hold a thousand times as much, which deflate can reach.
ZipMember bomb(const std::string& name) {
  const std::string content = npy_of("|u1", "(49000000,)", std::string(20'000, 'x'));
  ZipMember member = deflated_member(name, content);
  member.stored += std::string(30'000, 'x');
  member.size = static_cast<std::uint32_t>(content.size()) - 20'000 + 49'000'000;
  return member;
}

// A member whose data holds the local header and the data of a second one, so that both share their
// bytes, as the members of a zip bomb do.
std::string with_nested_member() {
  ZipMember inner{.name = "inner.npy", .stored = npy_of("|u1", "(600,)", std::string(600, 'x'))};
  const std::string archive = zip_of({inner});
  const std::string local = archive.substr(0, archive.find("PK\1\2"));
  const std::string shape = "(" + std::to_string(local.size()) + ",)";
  const ZipMember outer{.name = "outer.npy", .stored = npy_of("|u1", shape, local)};
  inner.local_offset = zip_of({outer}).find(local);
  inner.in_directory_only = true;
  return zip_of({outer, inner});
}

// An end record that sends the reader to a zip64 end record with this many members.
std::string with_zip64_members(std::uint64_t n_members) {
  const std::string good = zip_of({kGood});
  const std::string start = good.substr(0, good.size() - 22);
  const std::size_t directory_at = good.find("PK\1\2");
  const std::string end64 = "PK\6\6" + u64(44) + u16(45) + u16(45) + u32(0) + u32(0) +
                            u64(n_members) + u64(n_members) + u64(start.size() - directory_at) +
                            u64(directory_at);
  const std::string locator = "PK\6\7" + u32(0) + u64(start.size()) + u32(1);
  return start + end64 + locator + "PK\5\6" + u16(0) + u16(0) + u16(0xffff) + u16(0xffff) +
         u32(0xffffffff) + u32(0xffffffff) + u16(0);
}

const BadFile kBadFiles[] = {
    {"EndRecordMissing", without_end(22), kFormat, "not a readable zip archive"},
    {"EndRecordCutShort", without_end(1), kFormat, "not a readable zip archive"},
    {"OnlyTheFirstMember", without_end(22 + 46 + 5), kFormat, "not a readable zip archive"},
    {"MoreMembersThanAnnounced", zip_of({kGood, {"v.npy", kNpy}}, {.n_members = 1}), kFormat,
     "not a readable zip archive"},
    {"FewerMembersThanAnnounced", zip_of({kGood}, {.n_members = 2}), kFormat,
     "not a readable zip archive"},
    {"FourBillionMembersAnnounced", with_zip64_members(1ull << 32), kFormat,
     "not a readable zip archive"},
    {"MembersThatOverflowMemory", with_zip64_members(1ull << 62), kFormat,
     "not a readable zip archive"},
    {"DirectoryBeyondTheFile", zip_of({kGood}, {.directory_offset = 1 << 20}), kFormat,
     "not a readable zip archive"},
    {"DirectoryInAMember", zip_of({kGood}, {.directory_offset = 3}), kFormat,
     "not a readable zip archive"},
    {"SecondDisk", zip_of({kGood}, {.disk = 1}), kFormat, "not a readable zip archive"},
    {"LocalHeaderElsewhere", changed(kGood, [](ZipMember& m) { m.local_offset = 7; }), kFormat,
     "not a readable zip archive"},
    {"LocalNameDiffers", changed(kGood, [](ZipMember& m) { m.local_name = "v.npy"; }), kFormat,
     "not a readable zip archive"},
    {"NameFlaggedAsUtf8ButIsNot",
     changed(kGood,
             [](ZipMember& m) {
               m.name = "\xff.npy";
               m.flags = 0x800;
             }),
     kFormat, "not a readable zip archive"},
    {"MemberTwice", zip_of({kGood, kGoodDeflated}), kFormat, "two members have the same name"},
    {"MemberTwiceInTwoEncodings",
     zip_of({{.name = "\xc3\xbc.npy", .stored = kNpy, .flags = 0x800},
             {.name = "\x81.npy", .stored = kNpy}}),
     kFormat, "two members have the same name"},
    {"MemberInsideAnother", with_nested_member(), kFormat,
     "the members up to 'inner.npy' claim more stored bytes than the 950 of the file"},
    {"Encrypted", changed(kGood, [](ZipMember& m) { m.flags = 1; }), kUnsupported,
     "tensor 'w': the member is encrypted"},
    {"Bzip2", changed(kGood, [](ZipMember& m) { m.method = 12; }), kUnsupported,
     "tensor 'w': zip compression method 12, known are stored (0) and deflated (8)"},
    {"StoredInFewerBytesThanDeclared", changed(kGood, [](ZipMember& m) { m.size = 1000; }), kFormat,
     "is stored in 71 bytes, but declares 1000"},
    {"DeflatedToFewerBytesThanPossible",
     changed(kGoodDeflated, [](ZipMember& m) { m.size = 1u << 30; }), kFormat,
     "declares 1073741824 bytes, 76 deflated bytes cannot hold as many"},
    {"DeflatedExabytes", with_zip64_sizes(1ull << 62, 76), kFormat,
     "declares 4611686018427387904 bytes"},
    {"StoredSizeOf64Bits", with_zip64_sizes(71, ~0ull), kFormat, "claim more stored bytes than"},
    {"DeflateHoldsFewerBytes",
     changed(deflated_member("w.npy", npy_of("|u1", "(4,)", "abc")),
             [](ZipMember& m) { m.size = 72; }),
     kFormat, "tensor 'w': the member holds fewer bytes than it declares"},
    {"DeflateHoldsMoreBytes",
     changed(kGoodDeflated,
             [](ZipMember& m) {
               m.stored = deflated(kNpy + "d");
               m.crc = crc32(kNpy);
             }),
     kFormat, "the member holds more bytes than it declares"},
    {"DeflateBroken",
     changed(kGoodDeflated, [](ZipMember& m) { m.stored = "\xff" + m.stored.substr(1); }), kFormat,
     "tensor 'w': the member is broken: "},
    {"ChecksumOfAStoredMember", changed(kGood, [](ZipMember& m) { m.crc = 1; }), kFormat,
     "tensor 'w': the member is broken: CRC error"},
    {"ChecksumOfADeflatedMember", changed(kGoodDeflated, [](ZipMember& m) { m.crc = 1; }), kFormat,
     "tensor 'w': the member is broken: CRC error"},
    {"NoNpyMember", zip_of({{"word/document.xml", "<x/>"}, {"w.NPY", kNpy}}), kFormat,
     "a zip archive of 2 members, none of them a .npy or model.weights.h5: 'word/document.xml', "
     "'w.NPY'; unzip it"},
    {"ManyMembersOfOtherKinds", zip_of({{"a", "x"}, {"b\n", "x"}, {"c", "x"}, {"d", "x"}}), kFormat,
     "a zip archive of 4 members, none of them a .npy or model.weights.h5: 'a', 'b\\n', 'c', ...; "
     "unzip it"},
    {"EmptyMember", zip_of({{"w.npy", ""}}), kFormat, "tensor 'w': not .npy data"},
    {"MemberThatIsNoNpy", zip_of({{"w.npy", "{\"a\": 1}"}}), kFormat, "tensor 'w': not .npy data"},
    {"MemberCutInItsHeader", zip_of({{"w.npy", kNpy.substr(0, 30)}}), kFormat,
     "tensor 'w': .npy header of 58 bytes, 20 follow its length"},
    {"MemberCutInItsData", zip_of({{"w.npy", kNpy.substr(0, kNpy.size() - 1)}}), kFormat,
     "tensor 'w': 2 bytes stored, shape [3] of U8 needs 3"},
    {"MemberWithBytesLeft", zip_of({{"w.npy", kNpy + "d"}}), kFormat,
     "tensor 'w': 4 bytes stored, shape [3] of U8 needs 3"},
    {"Bombs", zip_of({bomb("u.npy"), bomb("v.npy"), bomb("w.npy")}), kFormat,
     "tensor 'v': the member declares 49000075 bytes; all members of a file of 150520 bytes may "
     "unpack to 200 times that"},
    {"TextOfAMalformedType", zip_of({{"w.npy", npy_of("xU1", "(1,)", "a")}}), kFormat,
     "tensor 'w': descr 'xU1'"},
    {"SecondMemberBad", zip_of({kGood, {"v/k.npy", npy_of("<f4", "(2,)", "abcd")}}), kFormat,
     "tensor 'v/k': 4 bytes stored, shape [2] of F32 needs 8"},
};

class BadNpz : public testing::TestWithParam<BadFile> {};
TEST_P(BadNpz, IsRefused) { test::expect_refused(GetParam()); }
INSTANTIATE_TEST_SUITE_P(, BadNpz, testing::ValuesIn(kBadFiles), test::kind_of);

}  // namespace
}  // namespace pqw
