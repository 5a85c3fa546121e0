// Exports an archive as a model in the layout of AQLM (Egiazarian et al., "Extreme Compression of
// Large Language Models via Additive Quantization", 2024).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pqw/io/options.h"

namespace pqw {

struct AqlmTensor {
  std::string name;
  std::string codec;      // in the archive
  bool is_coded = false;  // else its values are written in full
};

struct AqlmReport {
  std::vector<AqlmTensor> tensors;  // in the order of the archive
  std::size_t block_size = 0;       // of all tensors that are coded: in_group_size
  unsigned bits = 0;                // of their codes: nbits_per_codebook
  std::uint64_t archive_bytes = 0, output_bytes = 0;
};

// Writes model.safetensors and config.json into the folder `output`, which is made if it does not
// exist. A matrix NAME.weight of codec pq, with one group of positions and a block size that
// divides its columns, becomes NAME.codes, NAME.codebooks and NAME.scales (their shapes:
// pipeline/import.h), with the values that the archive has. Tensors of kind embedding are not
// coded, because AQLM replaces linear layers only. A model of AQLM has one block size and one
// number of additive codebooks (the pair of most weights; the others are written in full), and one
// number of bits (8 or more, enough for all codebooks); centroids that are not used are zeros.
// Codebooks and scales are F16 if that is exact, else F32. All other tensors are written in full,
// in their own types; config.json lists them. If there is a config.json, its other keys stay.
// Errors: those of decode_archive, for the two files; kUnsupported if no tensor can be coded;
// kFormat for a config.json that is not an object.
AqlmReport export_aqlm(const std::string& archive, const std::string& output, bool overwrite,
                       const ReadOptions& options = {});

}  // namespace pqw
