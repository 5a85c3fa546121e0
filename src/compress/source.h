// A tensor of the input, read once.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "archive/digest.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// Reads when the bytes are first asked for, and keeps them. For one thread at a time. REQUIRES: the
// reader outlives it.
class Source {
 public:
  Source(const WeightReader& reader, std::size_t index) : reader_(&reader), index_(index) {}

  const TensorInfo& info() const { return reader_->tensors()[index_]; }

  // Errors: those of the reader.
  const std::shared_ptr<const std::vector<std::byte>>& share() {
    if (!bytes_) bytes_ = std::make_shared<const std::vector<std::byte>>(reader_->read(index_));
    return bytes_;
  }
  std::span<const std::byte> bytes() { return *share(); }
  // Frees the bytes; the next call of bytes reads them again.
  void release() { bytes_.reset(); }
  const archive::Digest& digest() {
    if (!digest_) digest_ = archive::sha256(bytes());
    return *digest_;
  }

 private:
  const WeightReader* reader_;
  std::size_t index_;
  std::shared_ptr<const std::vector<std::byte>> bytes_;
  std::optional<archive::Digest> digest_;
};

}  // namespace pqw
