// Reports: the outcome for each tensor of a file, and for the whole file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pqw/codecs/weight.h"
#include "pqw/core/distortion.h"
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

  bool exact = false;  // not plain, but decodes to the bytes of the original

  // Against the original, measured on the stored values; empty when not measured.
  std::optional<Distortion> distortion = {};

  bool compressed() const { return codec != "plain" && !exact; }
  std::uint64_t original_bytes() const { return byte_count(info); }
  double bits_per_weight() const;  // 0 for a tensor without elements
};

// The note of an alias of `tensor`.
std::string same_as(const std::string& tensor);

// Fills in settings, options and parameters of the weight.
void describe(const Weight& weight, TensorReport& report);

struct Report {
  std::vector<TensorReport> tensors;
  std::vector<Skipped> skipped;  // items of the input that are not tensors
  std::uint64_t file_bytes = 0;  // on disk
  double seconds = 0;

  std::uint64_t original_bytes() const;     // of all tensors, without file headers
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
};

}  // namespace pqw
