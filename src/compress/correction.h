// Corrects the error that a search aims at, from the measured errors of its choices.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

namespace pqw {

// A search estimates errors at little effort, and the errors of its choice differ by some per cent
// from the estimate. So attempts follow one another with corrected aims, until the error of one is
// at most the target and at least 0.97 of it, or after 3 attempts; after 7 if none met the target.
//
// `attempt` searches and encodes, and returns the measured error. It returns nothing if no choice
// reaches the aim; that attempt is the last one. The aim of the first attempt is the target.
//
// Returns the number (from 0) of the attempt with the largest error that is at most the target.
// Empty if no attempt met the target.
std::optional<std::size_t> best_attempt(
    double target, const std::function<std::optional<double>(double aim)>& attempt);

}  // namespace pqw
