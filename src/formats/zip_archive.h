// libzip with owners and exceptions: zip archives read from files and written to them.
#pragma once

#include <zip.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/subject.h"
#include "io/input_file.h"
#include "pqw/io/atomic_file.h"

namespace pqw {

struct ZipDiscard {
  void operator()(zip_t* zip) const { zip_discard(zip); }
};
struct ZipFileClose {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using ZipPtr = std::unique_ptr<zip_t, ZipDiscard>;  // dropped without being written
using ZipFilePtr = std::unique_ptr<zip_file_t, ZipFileClose>;

// Whether the file starts as zip archives do: with a member, or with the end of an empty archive.
bool is_zip(const InputFile& file);

// Errors: kFormat, kIo.
ZipPtr open_zip(const InputFile& file);

// The names of all members; nothing if the archive cannot be read.
std::optional<std::vector<std::string>> zip_members(const InputFile& file);

// The archive itself if all its members are stored; else a file without a name that holds it with
// stored members. To make that file, it writes a temporary file as AtomicFile(path, options) does.
// Errors: kFormat (also members that unpack to too much); those of AtomicFile.
InputFile with_stored_members(InputFile file, const std::string& path, const WriteOptions& options);

// Name, sizes, checksum and methods of a member. Errors: kFormat.
zip_stat_t stat_member(const Subject& subject, zip_t& zip, std::uint64_t index);

// Checks that the member can be read and that its sizes are possible.
// Errors: kFormat; kUnsupported (encryption, compression other than deflate).
void check_member(const Subject& subject, const zip_stat_t& stat);

// Checks that the members claim no more stored bytes than the file has, so that they share none.
// Errors: kFormat.
void require_disjoint_members(const InputFile& file, zip_t& zip);

// A stream of the bytes of a member. Errors: kFormat.
ZipFilePtr open_member(const Subject& subject, zip_t& zip, std::uint64_t index);

// Fills `bytes`. Errors: kFormat, also if the member ends before.
void read_member(const Subject& subject, zip_file_t& member, std::span<std::byte> bytes);

// Compares the checksum. Errors: kFormat, also if bytes of the member are left.
void finish_member(const Subject& subject, zip_file_t& member);

// Where the bytes of a member are.
struct ZipPlace {
  std::string name;
  std::uint64_t index = 0;     // of libzip
  std::uint64_t data_at = 0;   // in the file
  std::uint64_t n_stored = 0;  // bytes in the file
  std::uint64_t n_bytes = 0;   // unpacked
  std::uint32_t crc = 0;       // of the unpacked bytes
  bool is_packed = false;
  bool has_descriptor = false;        // sizes and checksum come after the data
  std::uint64_t local_at = 0;         // the header before the data
  std::uint64_t in_directory_at = 0;  // the header in the directory
};

// All members in the order of the directory, whose data share no bytes. libzip does not tell
// places, so this reads the directory once more, and compares it with libzip.
// Errors: kFormat; kUnsupported (as check_member).
std::vector<ZipPlace> zip_places(const InputFile& file, zip_t& zip);

// Calls take(bytes) with the unpacked bytes of a member, a piece at a time. Errors: kFormat, also
// for a checksum that does not match.
void unpack_member(const Subject& subject, zip_t& zip, const ZipPlace& place,
                   const std::function<void(std::span<const std::byte>)>& take);

// The checksum of the zip format, of bytes in memory or in a file.
std::uint32_t zip_checksum(std::span<const std::byte> bytes, std::uint32_t before = 0);
std::uint32_t zip_checksum(const InputFile& file, std::uint64_t offset, std::uint64_t n_bytes);

// Where the file holds the checksum of a member, u32 little-endian: in the directory, and before or
// after the data.
std::vector<std::uint64_t> checksum_places(const InputFile& file, const ZipPlace& place);

// Writes an archive of stored (uncompressed) members, whose content lies in another file. The
// same names and bytes give the same archive: all times are 1980-01-01, all modes 0644.
class ZipWriter {
 public:
  // `content`: the path of the file with the members, which has to be there until `write`; the
  // target has to outlive this.
  ZipWriter(AtomicFile& target, std::string content);
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  // A member of those bytes of the content. Errors: kUnsupported (the name), kIo.
  void add(const std::string& name, std::uint64_t offset, std::uint64_t n_bytes);

  // Writes everything to the target, which is not committed. Errors: kIo.
  void write();

 private:
  // What libzip's callbacks for the target see.
  struct Sink {
    AtomicFile& target;
    std::uint64_t position = 0;
    std::uint64_t size = 0;
    std::exception_ptr failure = nullptr;
    zip_error_t error = {};

    zip_int64_t command(void* data, zip_uint64_t length, zip_source_cmd_t command);
    zip_int64_t write(std::span<const std::byte> bytes);
  };

  Sink sink_;
  std::string content_;
  ZipPtr zip_;
  std::size_t n_members_ = 0;
};

}  // namespace pqw
