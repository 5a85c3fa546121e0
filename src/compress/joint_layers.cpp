// Tensors that are to be the layers of one.
#include <fmt/format.h>

#include <algorithm>

#include "compress/plan.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

// Whether two tensors can be layers of one.
bool alike(const TensorInfo& a, const Encode& of_a, const TensorInfo& b, const Encode& of_b) {
  return a.shape == b.shape && a.dtype == b.dtype && of_a.candidates == of_b.candidates &&
         of_a.keep_if_not_finite == of_b.keep_if_not_finite;
}

// Their modes were checked one by one; how many ranks there are to be depends on the layers.
void check_ranks(const TensorInfo& info, const CodecOptions& options, std::size_t n_layers) {
  try {
    make_layout(matrix_shape(info.shape), n_layers, std::get<TensorizedOptions>(options));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{} and what is joint with it ({} layers): {}",
                                          quoted("tensor", info.name), n_layers, error.what()));
  }
}

}  // namespace

std::string_view joint_label(const CodecOptions& options) {
  const auto* tensorized = std::get_if<TensorizedOptions>(&options);
  return tensorized == nullptr ? std::string_view() : tensorized->joint;
}

std::vector<WorkItem> join_layers(std::span<const TensorInfo> tensors, std::vector<WorkItem> plan) {
  std::vector<WorkItem> joined;
  std::vector<std::size_t> groups;  // items of `joined`
  for (WorkItem& item : plan) {
    const auto* encode = std::get_if<Encode>(&item.action);
    if (encode == nullptr || joint_label(encode->candidates.front()).empty()) {
      joined.push_back(std::move(item));
      continue;
    }
    const std::size_t tensor = item.tensors.front();
    const auto group = std::ranges::find_if(groups, [&](std::size_t i) {
      return joined[i].plain_dtype == item.plain_dtype &&
             alike(tensors[joined[i].tensors.front()], std::get<Encode>(joined[i].action),
                   tensors[tensor], *encode);
    });
    if (group == groups.end()) {
      groups.push_back(joined.size());
      joined.push_back(std::move(item));
    } else {
      joined[*group].tensors.push_back(tensor);
    }
  }
  for (const std::size_t i : groups) {
    const WorkItem& item = joined[i];
    check_ranks(tensors[item.tensors.front()], std::get<Encode>(item.action).candidates.front(),
                item.tensors.size());
  }
  return joined;
}

}  // namespace pqw
