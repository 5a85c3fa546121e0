// The JSON header of a safetensors file, in and out.
//
// Layout of the file: u64 little-endian length n of the header; n bytes of JSON that start with
// '{'; the data. The JSON maps each tensor name to {"dtype", "shape", "data_offsets": [begin, end]}
// with offsets relative to the data, and optionally "__metadata__" to an object of strings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

constexpr std::size_t kSafetensorsMaxHeaderBytes = 100'000'000;  // the limit of the format
constexpr std::string_view kSafetensorsMetadataKey = "__metadata__";

struct SafetensorsEntry {
  TensorInfo info;
  std::size_t begin = 0;  // bytes from the start of the data
  std::size_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // in the order of the JSON when parsed
  Metadata metadata;
};

// Reads the JSON and checks all that needs no other part of the file: types, duplicate or unknown
// keys, and that the range of each tensor has the size of its shape. For an unknown dtype the range
// gives the size. `path` is for messages. Errors: kFormat.
SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view json);

// Puts the entries in the order of the data and checks that they cover it exactly: no hole, no
// overlap, nothing beyond `data_bytes`. Entries at the same offset (empty tensors) keep their
// order. Errors: kFormat.
void sort_and_check_ranges(const std::string& path, std::size_t data_bytes,
                           std::vector<SafetensorsEntry>& entries);

// The length and the JSON, padded with spaces to a multiple of 8 bytes.
// Errors: kUnsupported (names or metadata that are not UTF-8 or are reserved, a header over the
// limit).
std::string format_safetensors_header(const std::string& path, const SafetensorsHeader& header);

}  // namespace pqw
