// libzip with owners and exceptions: zip archives read from files and written to them.
#pragma once

#include <zip.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

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

// Writes an archive of stored (uncompressed) members, whose content lies in another file. The
// same names and bytes give the same archive: all times are 1980-01-01, all modes 0644.
class ZipWriter {
 public:
  // `content`: the path of the file with the members, which has to be there until `write`; the
  // target has to outlive this.
  ZipWriter(AtomicFile& target, std::string content);
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  // A member of those bytes of the content, at least one. Errors: kUnsupported (the name), kIo.
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
