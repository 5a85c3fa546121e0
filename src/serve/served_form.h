// What a weight is multiplied from, by codec.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "pqw/codecs/pq_lookup.h"
#include "pqw/codecs/weight.h"

namespace pqw {

// Shapes as for ServedWeight, which checks them. Safe to use from several threads at once.
class ServedForm {
 public:
  virtual ~ServedForm() = default;
  virtual void multiply(ConstMatrix x, MutableMatrix y) const = 0;
  virtual void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const = 0;
  virtual std::string describe(std::size_t batch) const = 0;
};

// How a weight is prepared: an overload for each codec.
std::unique_ptr<const ServedForm> prepare(LowRankWeight weight, const ServeOptions& options);
std::unique_ptr<const ServedForm> prepare(PlainWeight weight, const ServeOptions& options);
std::unique_ptr<const ServedForm> prepare(PqWeight weight, const ServeOptions& options);
std::unique_ptr<const ServedForm> prepare(Int8Weight weight, const ServeOptions& options);
std::unique_ptr<const ServedForm> prepare(TensorizedWeight weight, const ServeOptions& options);

}  // namespace pqw
