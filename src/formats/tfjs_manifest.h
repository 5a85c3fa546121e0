// The manifest of a TensorFlow.js model (model.json):
//   {"modelTopology": {"model_config": {"class_name": ...}, ...}, "weightsManifest": [
//     {"paths": ["group1-shard1of2.bin", ...],
//      "weights": [{"name": "dense/kernel", "shape": [4, 2], "dtype": "float32",
//                   "quantization": {"dtype": "uint8", "scale": 0.1, "min": -3}},
//                  {"name": "dense/kernel/m", ..., "group": "optimizer"}, ...]}, ...]}
// A model of layers has Keras' JSON as its topology, or as model_config in it; a graph has nodes.
// The files of a group, one after the other, hold its weights, one after the other. Keys that are
// not shown are ignored.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/input_file.h"
#include "pqw/core/tensor.h"

namespace pqw {

// Stored are integers q of type kU8 or kU16; they stand for q * scale + min.
struct TfjsQuantization {
  DType dtype = DType::kU8;
  double scale = 0;
  double min = 0;
};

struct TfjsWeight {
  TensorInfo info;            // of float16 quantization: F16, as stored
  bool is_text = false;       // strings, of which each is a u32 length and bytes
  bool is_optimizer = false;  // the state of an optimizer
  std::optional<TfjsQuantization> quantization = {};

  std::size_t stored_bytes() const;  // REQUIRES: not is_text
};

struct TfjsGroup {
  std::vector<std::string> files;  // names in the folder of the manifest
  std::vector<TfjsWeight> weights;
};

struct TfjsManifest {
  std::vector<TfjsGroup> groups;
  std::string keras;  // the JSON of the layers; empty if the model is a graph
};

// Errors: kFormat (also a name or file that occurs twice, names of files that lead out of the
// folder, more than 2^14 files); kUnsupported (types); kIo.
TfjsManifest read_tfjs_manifest(const InputFile& file);

}  // namespace pqw
