// The archive: one HDF5 file of compressed and plain tensors (docs/archive_format.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/core/record.h"
#include "pqw/core/tensor.h"
#include "pqw/io/options.h"

namespace pqw {

struct ArchiveWriterOptions {
  bool overwrite = false;
  // Free-form text that the archive keeps (safetensors' __metadata__).
  std::map<std::string, std::string> metadata = {};
};

// Writes an archive, which appears under its name on commit (io/atomic_file.h). Equal calls give
// equal bytes. Not safe for use from several threads at once.
// Errors of every call: kIo; kExists when the target exists and options.overwrite is false;
// kInvalidArgument for a name that was added before, a type that is not basic (core/dtype.h), bytes
// that do not fit their shape, or a name beyond the limits of the format; kUnsupported for more
// than 32 dimensions. After an error the writer can only be destroyed. Bytes are written as they are
// added; in memory are the names, types and shapes of all tensors and 32 bytes for each 64 KiB.
class ArchiveWriter {
 public:
  ArchiveWriter(const std::string& path, const ArchiveWriterOptions& options);
  ~ArchiveWriter();
  ArchiveWriter(ArchiveWriter&&) noexcept;

  // Adds a compressed tensor.
  void add(const Record& record);

  // Adds a tensor as it is. REQUIRES: bytes.size() == byte_count(info).
  void add_plain(const TensorInfo& info, std::span<const std::byte> bytes);

  // Closes, syncs and renames; returns the size of the file in bytes.
  std::uint64_t commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Tells the exact size of an archive in bytes before it is written. It depends on names, types,
// shapes, features, option texts and metadata. The bytes of sections and plain tensors do not
// matter and may be empty. Needs memory only, no file.
class ArchiveSizer {
 public:
  // Messages call the archive `name`.
  explicit ArchiveSizer(const ArchiveWriterOptions& options,
                        const std::string& name = "the archive");
  ~ArchiveSizer();

  void add(const Record& record);
  void add_plain(const TensorInfo& info);
  std::uint64_t finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct ArchiveEntry {
  TensorInfo info;                    // of the original tensor
  std::string codec;                  // "plain", or the codec of the record
  std::vector<std::string> features;  // as in the record, known to this reader or not
  std::string options;                // as in the record
  std::uint64_t data_bytes = 0;       // codes, codebooks or plain data, as stored
};

// The archive in a folder of a model.
inline constexpr char kArchiveInFolder[] = "model.h5";

// `path`; the archive in it if it is a folder. Readers of archives take either.
std::string archive_file(const std::string& path);

// Reads an archive. Everything is checked before it is used: no length, index or name is trusted,
// and all data read is compared with the digests of the manifest. Only verify_digest compares the
// digest of the whole file. Unless options.trusted is true, HDF5 runs in a process of its own
// (docs/security.md). Safe for use from several threads at once.
// Errors: kNotFound, kIo, kFormat (not an archive), kCorrupt, kUnsupported (another version of
// the format).
class ArchiveReader {
 public:
  explicit ArchiveReader(const std::string& path, const ReadOptions& options = {});
  ~ArchiveReader();
  ArchiveReader(ArchiveReader&&) noexcept;

  const std::string& path() const;
  std::uint64_t file_bytes() const;
  const std::vector<ArchiveEntry>& entries() const;  // in the order of writing
  const std::map<std::string, std::string>& metadata() const;

  // The index of the tensor with that name; empty when there is none.
  std::optional<std::size_t> find(std::string_view name) const;

  // The record of a compressed tensor, sections and parts in the order of their names. Its codec
  // and features may be unknown: codecs decide (codecs/weight.h). REQUIRES:
  // entries()[index].codec != "plain".
  Record read(std::size_t index) const;

  // The bytes of a plain tensor. REQUIRES: entries()[index].codec == "plain".
  std::vector<std::byte> read_plain(std::size_t index) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// True when the file starts with the archive's magic; false for every other regular file, and for a
// folder without kArchiveInFolder.
// Errors: kNotFound, kIo, kFormat (not a regular file).
bool is_archive(const std::string& path);

// Checks the digest of the whole file against its bytes, without parsing any of them.
// Errors: kFormat (not an archive), kCorrupt (the message says what differs), kIo.
void verify_digest(const std::string& path);

}  // namespace pqw
