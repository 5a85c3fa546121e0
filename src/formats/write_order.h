// The list of tensors that a writer was created for, and the number of tensors already added.
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

  std::size_t n_added() const { return n_added_; }

  // The index of the tensor that these bytes are. Errors: kInvalidArgument when all tensors were
  // added before or this one has another size.
  std::size_t next(std::size_t bytes);

  // The same for a tensor that equals tensor `added`. Errors: kInvalidArgument, also if that tensor
  // was not added or has another type or shape.
  std::size_t next_as(std::size_t added);

  // Errors: kInvalidArgument when tensors are missing.
  void require_complete() const;

 private:
  std::string path_;
  std::vector<TensorInfo> tensors_;
  std::size_t n_added_ = 0;
};

}  // namespace pqw
