// The lists that the readers of all formats fill while opening.
#pragma once

#include <cstddef>
#include <vector>

#include "pqw/formats/weight_file.h"

namespace pqw {

class BasicReader : public WeightReader {
 public:
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  const Metadata& metadata() const override { return metadata_; }
  const std::vector<Skipped>& skipped() const override { return skipped_; }
  std::size_t stored_as(std::size_t index) const override {
    return stored_as_.empty() ? index : stored_as_.at(index);
  }

 protected:
  std::vector<TensorInfo> tensors_;
  std::vector<std::size_t> stored_as_;  // empty: every tensor has its own values
  Metadata metadata_;
  std::vector<Skipped> skipped_;
};

}  // namespace pqw
