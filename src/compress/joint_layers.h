// Finds the tensors that become the layers of one joint tensor.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "compress/plan.h"

namespace pqw {

// TensorizedOptions::joint; empty for other codecs. Points into the options.
std::string_view joint_label(const CodecOptions& options);

// Makes one item of each group of joint layers, in the place of the first one. Errors: see
// make_plan.
std::vector<WorkItem> join_layers(std::span<const TensorInfo> tensors, std::vector<WorkItem> plan);

}  // namespace pqw
