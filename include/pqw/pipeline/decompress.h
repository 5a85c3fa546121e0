// Whole files: archive in, weights out.
#pragma once

#include <cstddef>
#include <string>

#include "pqw/io/read_options.h"

namespace pqw {

// Decodes the tensors whose name matches `pattern` (RE2, anywhere in the name; empty: all) to a
// file whose format follows from its extension, in their original names, shapes, types and order.
// Returns how many. Errors: those of ArchiveReader and create_weights; kInvalidArgument, before any
// work, when the output is the archive, by whatever name, and for a malformed pattern; kFormat when
// the input is no archive; kNotFound when the pattern matches none or there is none.
std::size_t decompress(const std::string& archive, const std::string& output,
                       const std::string& pattern, bool overwrite, const ReadOptions& options = {});

}  // namespace pqw
