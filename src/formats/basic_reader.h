// What the readers of all formats share: the lists that they fill while opening.
#pragma once

#include <string>
#include <vector>

#include "pqw/formats/weight_file.h"

namespace pqw {

class BasicReader : public WeightReader {
 public:
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  const Metadata& metadata() const override { return metadata_; }
  const std::vector<Skipped>& skipped() const override { return skipped_; }

 protected:
  std::vector<TensorInfo> tensors_;
  Metadata metadata_;
  std::vector<Skipped> skipped_;
};

}  // namespace pqw
