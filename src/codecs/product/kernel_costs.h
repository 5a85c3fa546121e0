// The cycles of the kernels on this machine, by which products of pq and int8 weights
// choose a method.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "kernels/table.h"

namespace pqw {

// The kernels of a table with cycles of their own, at first those that are built in.
class CostedKernels {
 public:
  explicit CostedKernels(const kernels::Table& table);
  CostedKernels(const CostedKernels&) = delete;
  CostedKernels& operator=(const CostedKernels&) = delete;

  const kernels::Table& table() const { return table_; }

  // `run` does `n_steps` steps, each of which takes `cycles`.
  using Visitor = std::function<void(std::string_view name, float& cycles, std::size_t n_steps,
                                     const std::function<void()>& run)>;
  void for_each(const Visitor& visit);

  // Measures all cycles, in a few milliseconds.
  void measure();

 private:
  kernels::LookupKernels lookup_;
  kernels::ProductKernels product_;
  kernels::Table table_;
};

// Lines "kernels NAME" and "COST CYCLES".
std::string to_text(CostedKernels& kernels);

// Takes the cycles from such lines; those that begin with # are comments. `source` names them in
// errors. Errors: kInvalidArgument for costs of other kernels, and unless each cost is there once
// with a positive number.
void read_costs(std::string_view text, const std::string& source, CostedKernels& kernels);

// active_kernels() with the cycles that the environment variable PQW_COSTS asks for: measured at the
// first call (not set, or "measure"), built in ("builtin"), or from a file.
// Errors: those of active_kernels() and of read_costs, kIo when the file cannot be read.
const kernels::Table& costed_kernels();

}  // namespace pqw
