// What happened to each tensor of a file, and to all of them together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pqw/core/distortion.h"
#include "pqw/core/tensor.h"

namespace pqw {

struct TensorReport {
  TensorInfo info;
  std::string codec = "plain";
  std::string settings;     // of the codec, as stored: summary() of codecs/weight.h
  std::string note;         // why it is plain, or what turned out otherwise than asked
  std::uint64_t bytes = 0;  // what the codec stores, or plain data

  // Against the original, measured on the stored values; empty when not measured.
  std::optional<Distortion> distortion;

  bool compressed() const { return codec != "plain"; }
  std::uint64_t original_bytes() const { return byte_count(info); }
  double bits_per_weight() const;  // 0 for a tensor without elements
};

struct Report {
  std::vector<TensorReport> tensors;
  std::vector<std::string> skipped;  // what the input holds beside tensors, one line each
  std::uint64_t file_bytes = 0;      // on disk
  double seconds = 0;

  std::uint64_t original_bytes() const;  // of all tensors, without file headers
  double ratio() const;                  // original_bytes / file_bytes
  double bits_per_weight() const;        // of the whole file, over all elements
  // Over the compressed tensors; empty when none was measured.
  std::optional<Distortion> distortion() const;
};

}  // namespace pqw
