// The tensors of a model that is compressed at operating points, in units that change together.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "compress/compressed_model.h"
#include "compress/harm_groups.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct PointModel {
  CompressedModel made;
  // Made without statistics of inputs, if `made` is made with them: statistics raise the errors of
  // weights, and the search for a target counts with errors without them.
  std::unique_ptr<CompressedModel> without_statistics = nullptr;
};

struct TensorUnits {
  std::vector<HarmUnit> units;
  std::vector<std::vector<std::size_t>> members;  // tensors of each unit; indices that rise

  // The tensors of a range that differ from the original at a point; indices that rise.
  std::vector<std::size_t> tensors_of(const UnitRange& range, std::size_t point) const;
};

// The tensors that some point changes. Those that have their values in common, in the file or in an
// archive, are one unit.
TensorUnits find_units(const WeightReader& originals, std::span<const PointModel> points);

// By unit and point: the relative error of the outputs for held-out inputs, or of the weights of a unit
// without statistics.
std::vector<std::vector<double>> output_harms(const TensorUnits& units,
                                              std::span<const PointModel> points);

// Whether output_harms has the error of the outputs of the tensor with that index.
bool has_outputs(std::size_t tensor, std::span<const PointModel> points);

}  // namespace pqw
