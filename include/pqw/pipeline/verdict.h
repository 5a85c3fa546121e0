// The verdict on a compressed file: what was gained and lost, and what to do about it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "pqw/pipeline/report.h"

namespace pqw {

// Below this many bits a weight, no setting without calibration kept all networks alive that were
// tried. Tensors in int8 and plain tensors do not count.
inline constexpr double kSafeBits = 3;

struct ErrorShare {
  std::string tensor;
  double share = 0;  // of Σ‖w - ŵ‖² of the file
};

struct Verdict {
  double bits_per_weight = 0;                   // of the whole file
  double ratio = 0;                             // of the bytes before to the bytes of the file
  std::optional<double> relative_error = {};    // this and the next two: empty if not measured
  std::optional<double> mean_error = {};        // mean of the compressed tensors' relative errors
  std::optional<double> amplitude = {};         // Σwŵ / Σw²
  std::vector<ErrorShare> largest_errors = {};  // the largest, and up to 2 more of 1 % or more
  std::optional<double> risky_bits = {};        // of the coarse weights, if below kSafeBits
};

Verdict judge(const Report& report);

// For people: lines that end with \n. `command` halves the mean error; empty: there is none.
std::string to_text(const Verdict& verdict, const std::string& command);

// One line for people on the risk of the archive; empty if there is none.
std::string warning_of(const Verdict& verdict);

}  // namespace pqw
