// Reports: the outcome for each tensor of a file, and for the whole file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pqw/codecs/weight.h"
#include "pqw/core/distortion.h"
#include "pqw/core/output_error.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct TensorReport {
  TensorInfo info;
  std::string codec = "plain";   // "plain", or the codec of its record
  std::string settings = {};     // of the codec, as stored: summary() of codecs/weight.h
  std::string options = {};      // of the codec, all of them, as its record has them
  std::string note = {};         // why it is plain, or how it differs from the request
  std::uint64_t bytes = 0;       // stored by the codec, or as plain data
  std::size_t n_parameters = 0;  // parameter_count() of codecs/weight.h; of plain data its elements
  std::size_t inner_width = 0;   // the rank of low_rank: outputs of the first of its two layers

  // Settings of a rule that stores the tensor in the same way (compress/recipe.h). Empty if it is
  // plain whatever the rules say, and for reports that are not of a compression.
  std::vector<std::pair<std::string, std::string>> rule = {};

  bool at_most = false;   // `bytes` is an upper bound: the codes are not known yet
  bool exact = false;     // not plain, but decodes to the bytes of the original
  bool narrowed = false;  // plain, but for a narrower type: its values may be rounded

  // Against the original, measured on the stored values; empty when not measured.
  std::optional<Distortion> distortion = {};
  // Of the outputs for held-out inputs; empty without input statistics.
  std::optional<OutputError> output_error = {};

  bool compressed() const { return codec != "plain" && !exact && !narrowed; }
  std::uint64_t original_bytes() const { return byte_count(info); }
  double bits_per_weight() const;  // 0 for a tensor without elements
};

// The notes of an alias of `tensor`, and of a narrowed tensor.
std::string same_as(const std::string& tensor);
std::string stored_in(DType dtype);

// Fills in settings, options and parameters of the weight.
void describe(const Weight& weight, TensorReport& report);

// The result of a search for a target (compress/target.h).
struct SearchOutcome {
  std::uint64_t target_bytes = 0;     // of the file; 0 if the target is an error
  double target_error = 0;            // of the file by the metric; 0 if the target is a size
  double estimated_error = 0;         // from probes
  std::uint64_t estimated_bytes = 0;  // of the file, from probes; 0 if the target is an error
  std::optional<double> error = {};   // measured on the stored values; empty in a dry run
  double slope = 0;                   // error that the next step to a finer point saves per byte
  std::size_t n_points = 0;           // that were probed
  std::string note = {};              // why the file is not closer to the target
};

struct Report {
  std::vector<TensorReport> tensors;
  std::vector<Skipped> skipped;  // items of the input that are not tensors
  // Names that the folder of the input has and its copy lacks; those of folders end in '/'.
  std::vector<std::string> not_copied = {};
  // A tensor of codes of AQLM, kill-the-bits or iPQ, if the input holds one: pqw import keeps it.
  std::string importable = {};
  std::uint64_t file_bytes = 0;  // on disk
  double seconds = 0;
  std::optional<SearchOutcome> search = {};

  std::uint64_t original_bytes() const;     // of all tensors, without file headers
  bool at_most() const;                     // whether file_bytes is an upper bound
  double ratio() const;                     // original_bytes / file_bytes
  std::size_t original_parameters() const;  // elements of all tensors
  // Parameters as stored: a matrix with factors counts as its factors. A low-rank layer
  // NAME.weight with a bias counts as two layers with a bias each: the rank is added, although the
  // inner bias is zero and not stored.
  std::size_t parameters() const;
  double bits_per_weight() const;  // of the whole file, over all elements
  // Stored bits per weight, without plain, int8 and alias tensors: they would hide how few bits
  // the other tensors have. Empty if there are no other tensors.
  std::optional<double> bits_per_coarse_weight() const;
  // Over the compressed tensors; empty when none was measured.
  std::optional<Distortion> distortion() const;
  // Over the compressed tensors with statistics; empty if there are none.
  std::optional<OutputError> output_error() const;
};

}  // namespace pqw
