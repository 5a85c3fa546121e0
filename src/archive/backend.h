// Reads the content of an archive, with HDF5 in this process or in a child process.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/input_file.h"
#include "pqw/archive/archive.h"

namespace pqw::archive {

class Backend {
 public:
  virtual ~Backend() = default;

  const std::vector<ArchiveEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // As the functions of ArchiveReader.
  virtual Record read(std::size_t index) const = 0;
  virtual std::vector<std::byte> read_plain(std::size_t index) const = 0;

 protected:
  std::vector<ArchiveEntry> entries_;
  std::map<std::string, std::string> metadata_;
};

// Opens an archive and checks what can be checked before HDF5 sees the file.
// Errors: those of ArchiveReader.
InputFile open_checked(const std::string& path);

// Both check everything that they return. Errors: those of ArchiveReader.
std::unique_ptr<Backend> open_direct(InputFile file);
std::unique_ptr<Backend> open_isolated(InputFile file);

}  // namespace pqw::archive
