// Finds the tensors of a file that equal an earlier one and are stored as its alias.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "compress/plan.h"
#include "compress/source.h"

namespace pqw {

// REQUIRES: the plan is that of the reader's tensors; both outlive it.
class Aliases {
 public:
  Aliases(const WeightReader& reader, std::span<const WorkItem> plan);

  // The first tensor with equal type, shape, axes, bytes and treatment, if an alias in place of this item
  // does not make the archive larger. Empty for that first tensor itself, for layers of joint
  // tensors and for adopted tensors. Reads the source only if its type and shape occur more than
  // once, and once for all tensors that share their values in the file; equal SHA-256 means equal
  // bytes. Ask in the order of the plan. Errors: those of the reader.
  std::optional<std::size_t> find(const WorkItem& item, Source& source);

 private:
  // If two tensors have equal traits and equal bytes, they are stored in the same way.
  using Traits = std::tuple<std::string, Shape, std::vector<std::size_t>, std::size_t, std::string,
                            PlainDtype>;
  static Traits traits_of(const WorkItem& item, const TensorInfo& info);

  const WeightReader& reader_;
  std::map<Traits, std::size_t> n_alike_;
  std::map<std::size_t, archive::Digest> digests_;  // by the tensor that has the values
  std::map<std::pair<Traits, archive::Digest>, std::size_t> targets_;
};

}  // namespace pqw
