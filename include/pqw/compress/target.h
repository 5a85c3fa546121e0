// Targets: a size or an error of the whole file, in place of settings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pqw {

// A metric adds the errors of tensors up to the error of a file. Both metrics weigh each tensor by the
// setting `importance`.
enum class Metric {
  kRelative,  // the mean of the relative errors ‖w - ŵ‖² / ‖w‖² of the tensors
  kTotal,     // Σ‖w - ŵ‖² / Σ‖w‖²
};

enum class TargetKind {
  kSize,           // bytes of the file
  kBitsPerWeight,  // bits of the file per element of a tensor
  kRatio,          // bytes of the tensors per byte of the file
  kError,          // of the file by the metric
};

struct Target {
  TargetKind kind = TargetKind::kSize;
  double value = 0;  // finite, above 0
  Metric metric = Metric::kRelative;
};

// Whether a target chooses the setting with that key, so that it may not be a default beside one.
bool target_chooses(const std::string& key);

// "4MB": bytes of a size in B (or without a unit), kB, KB, MB, GB (powers of 1000), KiB, MiB or GiB
// (powers of 1024). Parts of a byte are dropped. Errors: kInvalidArgument, naming the units.
std::uint64_t parse_size(std::string_view text);

}  // namespace pqw
