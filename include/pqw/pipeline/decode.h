// Decodes whole archives into weight files.
#pragma once

#include <cstddef>
#include <string>

#include "pqw/io/options.h"

namespace pqw {

// Throws kFormat unless the file starts with the magic of an archive; the message says which format
// it has. Errors: also those of is_archive.
void require_archive(const std::string& path);

// Decodes the tensors whose name matches `pattern` (RE2, anywhere in the name; empty: all) to a
// file whose format follows from its extension, in their original names, shapes, types and order.
// Returns how many. Errors: those of ArchiveReader and create_weights; kInvalidArgument for a
// malformed pattern or, before any work, when the output is the archive under any name; kFormat
// when the input is not an archive; kNotFound when no tensor matches or the archive holds none.
std::size_t decode_archive(const std::string& archive, const std::string& output,
                           const std::string& pattern, bool overwrite,
                           const ReadOptions& options = {});

}  // namespace pqw
