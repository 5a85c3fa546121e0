// The list of tensors a writer was created for, and how far it has come.
#include "formats/write_order.h"

#include <limits>
#include <utility>

#include "core/subject.h"

namespace pqw {

WriteOrder::WriteOrder(std::string path, std::vector<TensorInfo> tensors)
    : path_(std::move(path)), tensors_(std::move(tensors)) {
  constexpr std::size_t kMax = std::numeric_limits<std::ptrdiff_t>::max();
  std::size_t total = 0;
  for (const TensorInfo& info : tensors_) {
    const auto bytes = checked_byte_count(info);
    if (!bytes || *bytes > kMax - total) {
      throw Subject{path_}
          .in("tensor", info.name)
          .error(ErrorCode::kInvalidArgument,
                 "shape {} of {} does not fill whole bytes, or makes the file larger than 63 "
                 "bits count",
                 shown(to_string(info.shape)), dtype_name(info));
    }
    total += *bytes;
  }
}

std::size_t WriteOrder::next(std::size_t bytes) {
  if (n_added_ == tensors_.size()) {
    throw Subject{path_}.error(ErrorCode::kInvalidArgument, "all {} tensors were added before",
                               n_added_);
  }
  const TensorInfo& info = tensors_[n_added_];
  if (bytes != byte_count(info)) {
    throw Subject{path_}
        .in("tensor", info.name)
        .error(ErrorCode::kInvalidArgument, "{} bytes given, shape {} of {} needs {}", bytes,
               to_string(info.shape), dtype_name(info), byte_count(info));
  }
  return n_added_++;
}

std::size_t WriteOrder::next_as(std::size_t added) {
  const bool is_there = added < n_added_ && n_added_ < tensors_.size();
  if (!is_there || tensors_[added].dtype != tensors_[n_added_].dtype ||
      tensors_[added].shape != tensors_[n_added_].shape) {
    throw Subject{path_}.error(ErrorCode::kInvalidArgument,
                               "tensor {} cannot be the same as tensor {}", n_added_, added);
  }
  return next(byte_count(tensors_[added]));
}

void WriteOrder::require_complete() const {
  if (n_added_ != tensors_.size()) {
    throw Subject{path_}
        .in("tensor", tensors_[n_added_].name)
        .error(ErrorCode::kInvalidArgument, "was not added; {} of {} were", n_added_,
               tensors_.size());
  }
}

}  // namespace pqw
