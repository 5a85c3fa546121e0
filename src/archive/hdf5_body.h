// Writes the HDF5 part of an archive, or computes its size, with the same code.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <unordered_set>

#include "archive/manifest.h"
#include "h5/handle.h"
#include "h5/sparse_file.h"
#include "pqw/archive/archive.h"

namespace pqw::archive {

class Hdf5Body {
 public:
  // Truncates or creates `file`, which messages call `shown_path`.
  Hdf5Body(const std::string& file, const std::string& shown_path,
           const ArchiveWriterOptions& options);

  // For sizing: allocates space only, and ignores the bytes of sections and plain tensors. `file`
  // outlives the body.
  Hdf5Body(h5::SparseFile& file, const std::string& shown_path,
           const ArchiveWriterOptions& options);

  void add(const Record& record);
  void add_plain(const TensorInfo& info, std::span<const std::byte> bytes);
  void close();

 private:
  enum class Data { kWrite, kAllocateOnly };

  Hdf5Body(h5::Handle file, const Subject& subject, const ArchiveWriterOptions& options, Data data);
  void write_metadata(const std::map<std::string, std::string>& metadata);
  // Checks the name, type and shape of any tensor, and returns the name of its link.
  std::string claim_name(const TensorInfo& info, const Subject& subject);
  // `path` leads from the root group to the object; it ends in the name of the link.
  void write_array(h5::Id parent, const std::string& path, DType dtype, const Shape& shape,
                   std::span<const std::byte> bytes, const Subject& subject);
  // Writes a compressed tensor or part, with its sections and parts. `path` is as above.
  void write_group(h5::Id parent, const std::string& path, const Record& record,
                   const Subject& subject);
  void write_manifest();

  Subject subject_;
  Data data_;
  std::unordered_set<std::string> names_;
  ManifestList list_;
  Manifest manifest_;
  h5::Handle file_;
  h5::Handle tensors_;
};

}  // namespace pqw::archive
