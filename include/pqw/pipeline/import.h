// Imports weights that other programs product-quantized, and makes archives of them. Sources of the
// layouts: Stock et al., "And the Bit Goes Down" (2020; kill-the-bits); Fan et al., "Training with
// Quantization Noise for Extreme Model Compression" (2021; iPQ of fairseq); Egiazarian et al.,
// "Extreme Compression of Large Language Models via Additive Quantization" (2024; AQLM).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pqw/core/tensor.h"
#include "pqw/io/options.h"
#include "pqw/pipeline/report.h"

namespace pqw {

struct ImportOptions {
  // Shapes of weights, by their names ("conv1.weight"); they come before the other sources.
  std::map<std::string, Shape> shapes = {};
  // A weight file or archive with tensors of the same names, of which shapes and types are used;
  // empty: none.
  std::string original = {};
  bool skip_unsupported = false;  // leave out numbers that cannot become tensors
  bool overwrite = false;         // an existing output
  ReadOptions reading = {};
};

struct Imported {
  Report report;
  // Tensors of the original that the archive does not have. Without an original: running_mean and
  // running_var of layers that look like batch normalisation, if the file has convolutions.
  std::vector<std::string> missing = {};
};

// Makes an archive of a weight file whose weights kill-the-bits, the iPQ of fairseq or AQLM
// quantized: codes, centroids and row scales are taken over as they are. Each weight NAME.weight
// takes the place of its codes, with the type that it has in the original, else the type of its
// centroids. With d the block size, K the number of centroids of a codebook, P the positions of a
// row and M the number of additive codebooks (1..kMostAdditive of codecs/pq.h), the file has
// - of kill-the-bits and fairseq:
//   NAME.assignments  integers [P * rows], the code of row r at position p is p * rows + r
//   NAME.centroids    floats [K, d]
// - of AQLM:
//   NAME.codes        integers [rows, P, M], modulo K
//   NAME.codebooks    floats [M, K, 1, d]
//   NAME.scales       floats [rows, 1, 1, 1], may be missing
// AQLM files tell the shapes of weights. Files of the other two do not: without a shape, codes with
// a NAME.bias are taken for a linear layer. A tensor NAME_bias.bias of such codes becomes
// NAME.bias. All other tensors are stored as they are, equal ones once.
// Errors: those of open_weights and ArchiveWriter. kFormat: arrays that are missing or do not fit,
// codes beyond the centroids, NaN, infinity. kUnsupported: more than kMostAdditive codebooks,
// blocks of several rows, scales that are negative, or neither all exact in F16 nor all exact as
// bytes (RowScales::kLog8). kInvalidArgument: no codes; a shape that is not known or does not fit;
// a name in `shapes` that no weight has; the output is a file of the input or the original, or has
// the extension of another format. kNotCarried, kNotFound: as compress.
Imported import_weights(const std::string& input, const std::string& output,
                        const ImportOptions& options = {});

}  // namespace pqw
