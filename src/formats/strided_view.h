// Tensors whose elements lie in a storage at fixed distances: slices, transposed tensors, ...
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "pqw/core/tensor.h"

namespace pqw {

// Element (i, j, ...) of the tensor is element offset + i * strides[0] + j * strides[1] + ... of
// the storage.
struct StridedView {
  std::uint64_t offset = 0;
  Shape shape;
  std::vector<std::uint64_t> strides;  // as many as dimensions

  auto operator<=>(const StridedView&) const = default;
};

// The number of elements that a storage needs to hold the view; 0 for an empty view. Empty if it
// does not fit in 63 bits.
std::optional<std::uint64_t> storage_elements(const StridedView& view);

// Whether the elements are one range of the storage in the order of the tensor.
bool is_contiguous(const StridedView& view);

// Whether dimensions share elements of the storage. Dimensions of stride 0 (an expanded tensor) do
// not count. True also for some views of several strides that share none, which PyTorch does not
// make.
bool may_overlap(const StridedView& view);

// Bytes of a storage, from that byte on.
using ReadStorage = std::function<void(std::uint64_t begin, std::span<std::byte> bytes)>;
using WriteStorage = std::function<void(std::uint64_t begin, std::span<const std::byte> bytes)>;

// Copies the tensor out of its storage, row-major. Needs at most 5 times its memory and 64 KiB, as
// it reads the storage in ranges that hold mostly elements of the tensor; if `at_once`, one range
// from the first element to the last. REQUIRES: tensor.size() is the size of the view.
void read_view(const StridedView& view, std::size_t element_bytes, bool at_once,
               const ReadStorage& read, std::span<std::byte> tensor);

// The inverse: leaves the rest of the storage as it is.
void write_view(const StridedView& view, std::size_t element_bytes, const ReadStorage& read,
                const WriteStorage& write, std::span<const std::byte> tensor);

}  // namespace pqw
