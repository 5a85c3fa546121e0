// Imports weights that other programs product-quantized into archives.
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
// quantized: codes, centroids and row scales are taken over as they are. Each weight NAME.weight takes the
// place of its codes, with the type that it has in the original, else the type of its centroids.
// AQLM files tell the shapes of weights. Files of the other two do not: without a shape, codes with
// a NAME.bias are taken for a linear layer. A tensor NAME_bias.bias of such codes becomes NAME.bias.
// All other tensors are stored as they are, equal ones once.
// Errors: those of open_weights and ArchiveWriter, and those for broken or unsupported arrays that
// pipeline/pq_reference.h lists. kInvalidArgument: no codes; a shape that is not known or does not fit; a
// name in `shapes` that no weight has; the output is the input or the original, or has the extension
// of another format. kNotCarried, kNotFound: as compress.
Imported import_weights(const std::string& input, const std::string& output,
                        const ImportOptions& options = {});

}  // namespace pqw
