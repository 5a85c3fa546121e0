// Groups of joint layers while their file is compressed.
#include "compress/joint_groups.h"

#include <fmt/format.h>

#include <algorithm>

#include "pqw/codecs/foresight.h"
#include "pqw/core/text.h"

namespace pqw {

void JointGroups::decide(const WeightReader& reader, std::size_t owner,
                         std::vector<FloatTensor>* layers) {
  const PlanEntry& entry = plan_[owner];
  const std::size_t n_layers = entry.layers.size();
  Group group{"", plan_joint(entry.info, n_layers, std::get<TensorizedOptions>(entry.options))};
  if (foresight(entry.options) != Foresight::kNothing &&
      !shrinks(group.weight, entry.info, n_layers)) {
    group.refusal = kWouldNotShrink;
  }
  for (std::size_t l = 0; l < n_layers && group.refusal.empty(); ++l) {
    Candidate layer = read_candidate(reader, entry.layers[l], plan_[entry.layers[l]]);
    if (!layer.tensor) {
      group.refusal = fmt::format("a joint layer {}", layer.reason);
      break;
    }
    if (layers != nullptr) layers->push_back(std::move(*layer.tensor));
  }
  if (layers != nullptr && !group.refusal.empty()) layers->clear();
  groups_.insert_or_assign(owner, std::move(group));
}

void JointGroups::settle(const WeightReader& reader, std::size_t owner,
                         const TensorizedWeight& weight) {
  const PlanEntry& entry = plan_[owner];
  Group group{"", weight};
  if (!shrinks(weight, entry.info, entry.layers.size())) group.refusal = kWouldNotShrink;
  for (std::size_t l = 0; l < entry.layers.size() && group.refusal.empty(); ++l) {
    TensorizedWeight layer = weight;
    layer.layer = l;
    group.distortions.push_back(
        measure_stored(reader.read(entry.layers[l]), entry.info, std::move(layer)));
    const std::string fault = fault_of(group.distortions.back(), entry.options);
    if (!fault.empty()) group.refusal = fmt::format("a joint layer: {}", fault);
  }
  groups_.insert_or_assign(owner, std::move(group));
}

const JointGroups::Group* JointGroups::find(std::size_t index) const {
  if (plan_[index].layers.empty()) return nullptr;
  const auto found = groups_.find(plan_[index].layers.front());
  return found == groups_.end() ? nullptr : &found->second;
}

bool JointGroups::shares(std::size_t index) const {
  const Group* group = find(index);
  return group != nullptr && group->refusal.empty();
}

std::string JointGroups::refusal(std::size_t index) const {
  const Group* group = find(index);
  return group == nullptr ? "" : group->refusal;
}

std::size_t JointGroups::layer_of(std::size_t index) const {
  const std::vector<std::size_t>& layers = plan_[index].layers;
  return static_cast<std::size_t>(std::ranges::find(layers, index) - layers.begin());
}

TensorizedWeight JointGroups::weight(std::size_t index) const {
  TensorizedWeight weight = find(index)->weight;
  weight.layer = layer_of(index);
  return weight;
}

const Distortion& JointGroups::distortion(std::size_t index) const {
  return find(index)->distortions.at(layer_of(index));
}

Record JointGroups::record(std::size_t index) const {
  const std::string& name = plan_[index].info.name;
  const std::size_t owner = plan_[index].layers.front();
  if (index == owner) return to_record(weight(index), name);
  return to_record_sharing(weight(index), name, plan_[owner].info.name);
}

std::string JointGroups::note(std::size_t index) const {
  const std::vector<std::size_t>& layers = plan_[index].layers;
  if (index == layers.front()) {
    return fmt::format("joint: has the factors of {} layers", layers.size());
  }
  return fmt::format("joint: factors of {}", quoted("tensor", plan_[layers.front()].info.name));
}

void JointGroups::close(std::size_t index) {
  const std::vector<std::size_t>& layers = plan_[index].layers;
  if (!layers.empty() && index == layers.back()) groups_.erase(layers.front());
}

}  // namespace pqw
