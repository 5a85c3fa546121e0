// What an archive of any version holds, as its HDF5 file tells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/subject.h"
#include "h5/handle.h"
#include "io/input_file.h"
#include "pqw/core/record.h"

namespace pqw::archive {

// Everything in it is checked when it is opened, except for the bytes of arrays. Safe for use from
// several threads at once.
class Content {
 public:
  virtual ~Content() = default;

  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // In the order of writing; sections are without their bytes. A plain tensor has the codec
  // "plain" and no sections.
  const std::vector<Record>& tensors() const { return tensors_; }

  // Reads an array and compares it with its digest. Arrays are numbered over all tensors: the one
  // of a plain tensor; those of the sections of a compressed tensor, then those of its parts.
  // REQUIRES: `bytes` has the size of the array. Errors: kIo, and those of the subject.
  virtual void read(std::size_t array, std::span<std::byte> bytes,
                    const Subject& subject) const = 0;

 protected:
  std::map<std::string, std::string> metadata_;
  std::vector<Record> tensors_;
};

// Of a tensor or part: the number of its arrays, and their bytes.
std::size_t n_arrays(const Record& record);
std::uint64_t stored_bytes(const Record& record);

// `file` outlives the content; `hdf5` is the same file. REQUIRES: h5::exclusive() is held.
// Errors: kCorrupt, kIo.
std::unique_ptr<Content> open_version1(const InputFile& file, h5::Handle hdf5);
std::unique_ptr<Content> open_version2(const InputFile& file, const h5::Handle& hdf5);

}  // namespace pqw::archive
