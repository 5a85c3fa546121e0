// Groups of joint layers while their file is compressed: what was decided, and what they share.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "pipeline/candidate.h"
#include "pqw/core/record.h"

namespace pqw {

// Asked in the order of the plan. If the tensor of all would not be smaller than its layers, if one
// of them is to be plain, or if zeros would be as close to one of them as what is decoded, each
// layer is encoded on its own, by its fallback or plain.
class JointGroups {
 public:
  explicit JointGroups(std::span<const PlanEntry> plan) : plan_(plan) {}

  // Decides on the group of that owner; of layers that share their factors the planned weight is
  // taken. `layers`, if not null, gets the values of all of them. Errors: those of read_floats.
  void decide(const WeightReader& reader, std::size_t owner, std::vector<FloatTensor>* layers);

  // Whether the planned weight of a group tells all: its size, and that it will be taken.
  bool foreseen(std::size_t owner) const;

  // The weight of that owner as it was encoded. Its layers share it unless it is refused.
  void settle(const WeightReader& reader, std::size_t owner, const TensorizedWeight& weight);

  // Whether the group of that tensor was found to share factors. False for a tensor by itself.
  bool shares(std::size_t index) const;

  // Why the layers of a group go their own ways; empty for a tensor by itself.
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
    bool near_limits = false;                  // one of the layers is
    std::vector<Distortion> distortions = {};  // of the layers
  };
  const Group* find(std::size_t index) const;
  std::size_t layer_of(std::size_t index) const;

  std::span<const PlanEntry> plan_;
  std::map<std::size_t, Group> groups_;  // by owner
};

}  // namespace pqw
