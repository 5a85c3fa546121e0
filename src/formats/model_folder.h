// Folders of models, as Hugging Face's libraries write them: weights in one or several files, and
// files about them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/output_folder.h"

namespace pqw {

// Which files of a folder hold its weights: an index alone, or files without one. The first of
// these that the folder has:
//   *.safetensors.index.json, *.safetensors, *.bin.index.json, pytorch_model*.bin, model.json
struct FolderWeights {
  std::string index;               // a path; empty: there is none
  std::vector<std::string> files;  // paths in the order of their names; empty if there is an index
};

// Errors: kNotFound (no such file); kUnsupported (a SavedModel); kFormat (two indexes); kIo.
FolderWeights find_folder_weights(const std::string& folder);

bool is_folder(const std::string& path);
bool is_regular_file(const std::string& path);  // or a link to one

// The names of all entries, in their order. Errors: kIo; kFormat (more than 2^16).
std::vector<std::string> list_folder(const std::string& folder);

// Whether a file of that name may belong to a model: weights, an index, an archive or a sidecar.
OutputFolder::MayRemove is_model_file;

// The key of config.json under which a compressed model says how to read it:
//   "quantization_config": {"quant_method": "pqw", "version": "0.1.0",
//     "modules_to_not_convert": ["lm_head"], "max_shard_size": 5000000000, "original": {...}}
struct QuantizationConfig {
  std::string version;                     // of pqw
  std::vector<std::string> plain_modules;  // whose weights are not compressed
  std::uint64_t max_shard_bytes = 0;       // of the original; 0: it was one file
};

// The folder that has the sidecars of an input: the input, or the folder of an index. Empty for
// other files.
std::string sidecar_folder(const std::string& input);

// The paths of the sidecars of a folder.
std::vector<std::string> sidecars_in(const std::string& folder);

// The names in a folder that are neither sidecars nor `files`: other weights, hidden files, folders
// ("onnx/").
std::vector<std::string> not_copied(const std::string& folder, std::span<const std::string> files);

// Copies the sidecars of a model: configuration, tokenizer, licence and others that are not
// weights. In config.json, the compressed model gets a QuantizationConfig; an earlier
// quantization_config is kept in it as `original`. A folder without config.json gets none.
// Errors: kFormat (config.json), kIo.
void copy_sidecars(const std::string& from, OutputFolder& to, const QuantizationConfig& config);

// The inverse: restores the config.json of the original.
void restore_sidecars(const std::string& from, OutputFolder& to);

// The largest shard of the original, as recorded; empty if it was one file. Errors: kFormat, kIo.
std::optional<std::uint64_t> recorded_shard_bytes(const std::string& folder);

// The files of weights that hold tensors of so many bytes, each of at most `max_shard_bytes` unless
// one tensor has more: model.safetensors, or model-00001-of-00002.safetensors, ... with an index.
struct ShardPlan {
  std::vector<std::string> files;
  std::vector<std::size_t> counts;  // tensors of each, in the order of all
};
ShardPlan plan_shards(std::span<const std::size_t> tensor_bytes,
                      std::optional<std::uint64_t> max_shard_bytes);

// Writes model.safetensors.index.json for these tensors.
void write_shard_index(OutputFolder& to, const ShardPlan& plan,
                       std::span<const std::string> tensors, std::uint64_t total_bytes);

}  // namespace pqw
