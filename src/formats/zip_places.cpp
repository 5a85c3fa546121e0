// Finds where the members of a zip archive are stored.
//
// Layout, little-endian (PKWARE's APPNOTE.TXT): local headers ("PK\3\4", 30 bytes, name, extra
// fields), each followed by the data and sometimes a descriptor; the directory, a header for each
// member ("PK\1\2", 46 bytes, name, extra fields, comment); in large archives the zip64 end record
// ("PK\6\6") and its locator ("PK\6\7", 20 bytes); the end record ("PK\5\6", 22 bytes, comment).
#include <zlib.h>

#include <algorithm>
#include <string_view>

#include "formats/byte_order.h"
#include "formats/file_pieces.h"
#include "formats/zip_archive.h"

namespace pqw {
namespace {

constexpr std::size_t kLocalBytes = 30, kHeaderBytes = 46, kLocatorBytes = 20, kEndBytes = 22;
constexpr std::size_t kMaxCommentBytes = 65535;
constexpr std::uint32_t kInZip64 = 0xffffffff;  // the value is in an extra field
constexpr unsigned kHasDescriptor = 1 << 3;     // a flag

class Directory {
 public:
  Directory(const InputFile& file, zip_t& zip) : file_(file), zip_(zip), subject_{file.path()} {}

  std::vector<ZipPlace> places() {
    const auto [at, n_bytes] = find();
    at_ = at;
    bytes_ = file_.read(at, n_bytes);
    const auto n_members = static_cast<std::uint64_t>(zip_get_num_entries(&zip_, 0));
    std::vector<ZipPlace> places;
    for (std::uint64_t i = 0; i < n_members; ++i) places.push_back(next(i));
    if (rest_ != bytes_.size()) fail("the directory has members that libzip does not list");
    require_disjoint(places);
    return places;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw subject_.error("not a readable zip archive: {}; {}", what, kFetchAgain);
  }

  template <class T>
  static T load(std::span<const std::byte> bytes, std::size_t at) {
    return load_little_endian<T>(bytes.subspan(at, sizeof(T)));
  }
  static bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())
        .starts_with(magic);
  }

  // Bytes of the file that must be there.
  std::vector<std::byte> read(std::uint64_t at, std::size_t n_bytes) const {
    if (at > file_.size() || n_bytes > file_.size() - at) fail("a header is beyond the file");
    return file_.read(at, n_bytes);
  }

  struct Range {
    std::uint64_t at, n_bytes;
  };

  // The directory. Of several end records the last one counts whose comment ends with the file.
  Range find() const {
    const std::size_t n = std::min<std::uint64_t>(file_.size(), kEndBytes + kMaxCommentBytes);
    const std::vector<std::byte> tail = file_.read(file_.size() - n, n);
    for (std::size_t i = n < kEndBytes ? 0 : n - kEndBytes + 1; i-- > 0;) {
      const std::span<const std::byte> end = std::span(tail).subspan(i);
      if (!starts_with(end, "PK\5\6") || load<std::uint16_t>(end, 20) != end.size() - kEndBytes) {
        continue;
      }
      Range range{load<std::uint32_t>(end, 16), load<std::uint32_t>(end, 12)};
      const std::uint64_t end_at = file_.size() - n + i;
      if (range.at == kInZip64 || range.n_bytes == kInZip64) range = find_in_zip64(end_at);
      if (range.at > end_at || range.n_bytes > end_at - range.at) {
        fail("its directory is beyond its end record");
      }
      return range;
    }
    fail("it has no end record");
  }

  Range find_in_zip64(std::uint64_t end_at) const {
    if (end_at < kLocatorBytes) fail("it has no zip64 end record");
    const auto locator = read(end_at - kLocatorBytes, kLocatorBytes);
    if (!starts_with(locator, "PK\6\7")) fail("it has no zip64 end record");
    const auto end = read(load<std::uint64_t>(locator, 8), 56);
    if (!starts_with(end, "PK\6\6")) fail("it has no zip64 end record");
    return {load<std::uint64_t>(end, 48), load<std::uint64_t>(end, 40)};
  }

  // The next member of the directory, which is member `index` of libzip.
  ZipPlace next(std::uint64_t index) {
    const std::span<const std::byte> rest = std::span(bytes_).subspan(rest_);
    if (rest.size() < kHeaderBytes || !starts_with(rest, "PK\1\2")) fail("its directory is broken");
    const std::size_t name_bytes = load<std::uint16_t>(rest, 28);
    const std::size_t extra_bytes = load<std::uint16_t>(rest, 30);
    const std::size_t all = kHeaderBytes + name_bytes + extra_bytes + load<std::uint16_t>(rest, 32);
    if (all > rest.size()) fail("its directory is broken");
    const zip_stat_t stat = stat_member(subject_, zip_, index);
    const Subject subject = subject_.in("member", stat.name);
    check_member(subject, stat);
    ZipPlace place{.name = stat.name,
                   .index = index,
                   .n_stored = stat.comp_size,
                   .n_bytes = stat.size,
                   .crc = stat.crc,
                   .is_packed = stat.comp_method != ZIP_CM_STORE,
                   .has_descriptor = (load<std::uint16_t>(rest, 8) & kHasDescriptor) != 0,
                   .in_directory_at = at_ + rest_};
    place.local_at = local_offset(rest, rest.subspan(kHeaderBytes + name_bytes, extra_bytes));
    const auto local = read(place.local_at, kLocalBytes + name_bytes);
    const auto name = rest.subspan(kHeaderBytes, name_bytes);
    if (!starts_with(local, "PK\3\4") || load<std::uint16_t>(local, 26) != name_bytes ||
        !std::ranges::equal(std::span(local).subspan(kLocalBytes), name) ||
        load<std::uint32_t>(rest, 16) != place.crc) {
      throw subject.error("the header before the data is not the header of this member");
    }
    place.data_at = place.local_at + kLocalBytes + name_bytes + load<std::uint16_t>(local, 28);
    if (place.data_at > at_ || place.n_stored > at_ - place.data_at) {
      throw subject.error("its {} bytes at {} do not end before the directory at {}",
                          place.n_stored, place.data_at, at_);
    }
    rest_ += all;
    return place;
  }

  // In zip64 archives it comes after those sizes that do not fit their field either.
  std::uint64_t local_offset(std::span<const std::byte> header,
                             std::span<const std::byte> extra) const {
    const auto offset = load<std::uint32_t>(header, 42);
    if (offset != kInZip64) return offset;
    std::size_t before = 0;
    for (const std::size_t at : {20, 24}) before += load<std::uint32_t>(header, at) == kInZip64;
    while (extra.size() >= 4) {
      const std::size_t n_bytes = load<std::uint16_t>(extra, 2);
      if (n_bytes > extra.size() - 4) break;
      if (load<std::uint16_t>(extra, 0) == 1 && n_bytes >= 8 * (before + 1)) {
        return load<std::uint64_t>(extra, 4 + 8 * before);
      }
      extra = extra.subspan(4 + n_bytes);
    }
    fail("its directory is broken");
  }

  void require_disjoint(const std::vector<ZipPlace>& places) const {
    std::vector<const ZipPlace*> sorted;
    for (const ZipPlace& place : places) sorted.push_back(&place);
    std::ranges::sort(sorted, {}, &ZipPlace::local_at);
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      if (sorted[i - 1]->data_at + sorted[i - 1]->n_stored > sorted[i]->local_at) {
        throw subject_.in("member", sorted[i]->name)
            .error("it shares bytes with member '{}'", shown(sorted[i - 1]->name));
      }
    }
  }

  const InputFile& file_;
  zip_t& zip_;
  const Subject subject_;
  std::uint64_t at_ = 0;  // of the directory
  std::vector<std::byte> bytes_;
  std::size_t rest_ = 0;  // the first of the bytes that is not read yet
};

}  // namespace

std::vector<ZipPlace> zip_places(const InputFile& file, zip_t& zip) {
  return Directory(file, zip).places();
}

std::uint32_t zip_checksum(std::span<const std::byte> bytes, std::uint32_t before) {
  return static_cast<std::uint32_t>(
      crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::uint32_t zip_checksum(const InputFile& file, std::uint64_t offset, std::uint64_t n_bytes) {
  std::uint32_t crc = 0;
  for_each_piece(file, offset, n_bytes, [&](auto bytes) { crc = zip_checksum(bytes, crc); });
  return crc;
}

std::vector<std::uint64_t> checksum_places(const InputFile& file, const ZipPlace& place) {
  const auto load = [&](std::uint64_t at) {
    return load_little_endian<std::uint32_t>(file.read(at, sizeof(std::uint32_t)));
  };
  constexpr std::uint32_t kSignature = 0x08074b50;  // "PK\7\x08", which a descriptor may have
  std::vector<std::uint64_t> places{place.in_directory_at + 16};
  const std::uint64_t local = place.local_at + 14;  // often 0 if there is a descriptor
  if (!place.has_descriptor || load(local) == place.crc) places.push_back(local);
  if (place.has_descriptor) {
    const std::uint64_t after = place.data_at + place.n_stored;
    places.push_back(load(after) == kSignature ? after + sizeof(kSignature) : after);
  }
  return places;
}

}  // namespace pqw
