// The index of a model in several files, as Hugging Face's libraries write it
// (model.safetensors.index.json):
//   {"metadata": {...}, "weight_map": {"NAME": "model-00001-of-00002.safetensors", ...}}
// Keys other than weight_map are ignored.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/input_file.h"

namespace pqw {

struct ShardIndex {
  std::map<std::string, std::string> file_of;  // a file of the same folder, by tensor

  // Different names, in their order. They are names of files, without folders.
  std::vector<std::string> files() const;
};

// Errors: kFormat (also names that lead out of the folder, and more than 2^14 files), kIo.
ShardIndex read_shard_index(const InputFile& file);

}  // namespace pqw
