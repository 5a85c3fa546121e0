// Corrects the error that a search aims at, from the measured errors of its choices.
#pragma once

#include <cstddef>
#include <optional>

namespace pqw {

// A search estimates errors at little effort, and the errors of its choice differ by some per cent
// from the estimate. If so, search again with another aim.
class Correction {
 public:
  explicit Correction(double target) : target_(target), aim_(target) {}

  // The error that the next search is to reach by its estimates.
  double aim() const { return aim_; }

  // Takes the measured error of the choice for aim(). False if that choice stays: its error is at
  // most the target and at least 0.97 of it, or too many searches were made. The last search
  // returns to the best aim whose error was at most the target.
  bool is_needed_after(double measured);

 private:
  struct Run {
    double aim, error;
  };

  double target_;
  double aim_;
  std::size_t n_runs_ = 0;
  bool returns_ = false;
  std::optional<Run> best_;
};

}  // namespace pqw
