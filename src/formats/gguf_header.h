// The header of a GGUF file (versions 2 and 3), little-endian, without gaps:
//   "GGUF", u32 version, u64 number of tensors, u64 number of metadata entries
//   for each entry: key, u32 type, value
//   for each tensor: name, u32 rank, u64 sizes (the one that varies fastest comes first), u32 type,
//     u64 offset
// Then padding to a multiple of `general.alignment` (32), from where offsets count, and data. Keys,
// names and texts are a u64 length and bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "io/input_file.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct GgufTensor {
  TensorInfo info;          // its shape has the size that varies fastest last
  std::uint64_t begin = 0;  // in the file
};

struct GgufHeader {
  std::vector<GgufTensor> tensors;  // in the order of the header
  Metadata metadata;                // the entries that are texts of UTF-8, at most 1 MiB each
  std::vector<std::string> others;  // the keys of the other entries
};

// Everything is checked: data lies in the file, at multiples of the alignment, and no two tensors
// share bytes. Errors: kFormat; kUnsupported (other versions, big-endian files, quantized tensors:
// the message names tensor and type); kIo.
GgufHeader read_gguf_header(const InputFile& file);

}  // namespace pqw
