// Groups of joint layers while their file is compressed: the decision on each, and shared factors.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "compress/candidate.h"
#include "pqw/core/record.h"

namespace pqw {

// Ask in the order of the plan. Each layer is encoded on its own, by its fallback or plain, if the
// joint tensor would not be smaller than its layers, if a layer must stay plain, or if the joint
// tensor would lose a layer (zeros would be as close).
class JointGroups {
 public:
  explicit JointGroups(std::span<const PlanEntry> plan) : plan_(plan) {}

  // Decides on the group of that owner, by the planned weight of the joint tensor. `layers`, if not
  // null, gets the values of all of them. Errors: those of read_floats.
  void decide(const WeightReader& reader, std::size_t owner, std::vector<FloatTensor>* layers);

  // Sets the encoded weight of that owner. Its layers share it unless it is refused.
  void settle(const WeightReader& reader, std::size_t owner, const TensorizedWeight& weight);

  // Whether the group of that tensor was found to share factors. False for a tensor by itself.
  bool shares(std::size_t index) const;

  // Why the layers of a group are encoded on their own; empty for a tensor without a group.
  std::string refusal(std::size_t index) const;

  // The weight of a layer and its record. REQUIRES: shares(index).
  TensorizedWeight weight(std::size_t index) const;
  Record record(std::size_t index) const;

  // "joint: ..." for the report. REQUIRES: shares(index).
  std::string note(std::size_t index) const;

  // How far the layer is from the original. REQUIRES: shares(index), and settle was called.
  const Distortion& distortion(std::size_t index) const;

  // Says that a tensor was written. The factors of a group go with its last one.
  void close(std::size_t index);

 private:
  struct Group {
    std::string refusal;  // empty: they share
    TensorizedWeight weight = {};
    std::vector<Distortion> distortions = {};  // of the layers
  };
  const Group* find(std::size_t index) const;
  std::size_t layer_of(std::size_t index) const;

  std::span<const PlanEntry> plan_;
  std::map<std::size_t, Group> groups_;  // by owner
};

}  // namespace pqw
