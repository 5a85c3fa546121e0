// The config.json of a model in the layout of AQLM.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pqw {

// For blocks of one row.
struct AqlmConfig {
  std::size_t block_size = 0;
  std::size_t n_codebooks = 1;     // of a matrix, whose centroids are added
  unsigned bits = 0;               // of a code
  std::vector<std::string> plain;  // names of tensors that are not quantized
};

// The text of config.json: the object `original`, the text of another config.json or empty, with
//   "quantization_config": {"quant_method": "aqlm", "nbits_per_codebook": 8, "num_codebooks": 1,
//     "out_group_size": 1, "in_group_size": 8, "linear_weights_not_to_quantize": [...]}
// Errors: kFormat, of the file `path`, if `original` is not a JSON object of at most 64 levels.
std::string aqlm_config_text(const AqlmConfig& config, const std::string& path,
                             const std::string& original);

}  // namespace pqw
