// Decodes whole archives into weight files.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pqw/io/options.h"

namespace pqw {

// Throws kFormat unless the file starts with the magic of an archive; the message says which format
// it has. Errors: also those of is_archive.
void require_archive(const std::string& path);

// Decodes the tensors whose name matches `pattern` (RE2, anywhere in the name; empty: all) to a
// file whose format follows from its extension, in their original names, shapes, types and order.
// An output that ends in '/', or is an empty folder, gets a safetensors file, or shards of the size
// that the original had, and the files beside the archive, if that is in a folder that is given;
// it appears complete or not at all. Returns how many tensors were decoded.
// Errors: those of ArchiveReader and create_weights; kInvalidArgument for a malformed pattern or,
// before any work, when the output is the archive under any name; kFormat when the input is not an
// archive; kNotFound when no tensor matches or the archive holds none.
std::size_t decode_archive(const std::string& archive, const std::string& output,
                           const std::string& pattern, bool overwrite,
                           const ReadOptions& options = {});

struct DecodedCopy {
  std::size_t n_tensors = 0;      // decoded
  std::vector<std::string> kept;  // tensors of the template that are not in the archive
};

// Decodes into a copy of `original`, the weight file that the archive was made from or one with the
// same tensors (create_copy of formats/weight_file.h). Errors: also those of create_copy.
DecodedCopy decode_into_copy(const std::string& archive, const std::string& original,
                             const std::string& output, const std::string& pattern, bool overwrite,
                             const ReadOptions& options = {});

}  // namespace pqw
