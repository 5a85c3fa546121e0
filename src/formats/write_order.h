// The list of tensors a writer was created for, and how far it has come.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pqw/core/tensor.h"

namespace pqw {

class WriteOrder {
 public:
  // Errors: kInvalidArgument when the bytes of all tensors together exceed 63 bits.
  WriteOrder(std::string path, std::vector<TensorInfo> tensors);

  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  // The index of the tensor that these bytes are. Errors: kInvalidArgument when all tensors were
  // added before or this one has another size.
  std::size_t next(std::size_t bytes);

  // Errors: kInvalidArgument when tensors are missing.
  void require_complete() const;

 private:
  std::string path_;
  std::vector<TensorInfo> tensors_;
  std::size_t n_added_ = 0;
};

}  // namespace pqw
