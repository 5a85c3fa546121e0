// Copies of archives in which some tensors have other values, for example after training.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "pqw/io/options.h"

namespace pqw {

// The values of a tensor of codec pq. Its codes stay as they are.
struct PqValues {
  // The archive that has the codes, under the name of the tensor. Empty: the one that is copied.
  std::string codes_from = {};
  // In the layout of PqWeight::codebooks (codecs/pq.h). Empty: as they are. They are rounded to the
  // type that the archive stores.
  std::vector<float> codebooks = {};
  // [rows], or empty: as they are. Rounded to the nearest scales of their type.
  std::vector<float> row_scales = {};
};

// A tensor that is not compressed: its elements in its original type and order of dimensions,
// row-major and little-endian. A narrowed tensor is narrowed again (codecs/cast.h).
using PlainValues = std::vector<std::byte>;

using NewValues = std::variant<PlainValues, PqValues>;

struct ReplaceOptions {
  bool overwrite = false;  // an existing output
  ReadOptions reading = {};
};

// Writes a copy of an archive in which the tensors named in `values` have these values. All other
// tensors are copied bit for bit, the metadata too, in the same order. Only the named tensor
// changes: an alias of it keeps the old values, unless it is named with equal ones; then it stays
// an alias. Returns the size of the output in bytes.
// Errors: those of ArchiveReader and ArchiveWriter. kNotFound: a name that the archive, or
// `codes_from`, does not have. kInvalidArgument: values of another number, NaN, infinity, beyond
// the range of their type, a negative row scale; plain values for a tensor of a codec that stores
// no values; PqValues for a tensor that has no codes of pq; codes for another type or shape; an
// output that is one of the archives, or has the extension of another format.
std::uint64_t replace_values(const std::string& archive, const std::string& output,
                             const std::map<std::string, NewValues>& values,
                             const ReplaceOptions& options = {});

}  // namespace pqw
