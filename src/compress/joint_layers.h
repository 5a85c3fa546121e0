// Tensors of a plan that are to be the layers of one.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/codecs/encode.h"
#include "pqw/compress/plan.h"

namespace pqw {

// TensorizedOptions::joint; empty for other codecs. Points into the options.
std::string_view joint_label(const CodecOptions& options);

// Fills in PlanEntry::layers. REQUIRES: the references of the plan count in its own indices.
void join_layers(std::span<PlanEntry> plan);

// Whether it is the layer that stores the factors of its group.
inline bool owns_layers(const PlanEntry& entry, std::size_t index) {
  return !entry.layers.empty() && entry.layers.front() == index;
}

}  // namespace pqw
