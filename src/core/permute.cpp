// Copies a tensor with its dimensions in another order.
#include "core/permute.h"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "pqw/core/tensor.h"

namespace pqw {
namespace {

// A dimension of the result. Strides are in elements.
struct Dim {
  std::size_t size;
  std::size_t from_stride;
  std::size_t to_stride;
};

// In the order of the result, without those of size 1; neighbours that stay neighbours are one.
std::vector<Dim> dims_of(std::span<const std::size_t> shape, std::span<const std::size_t> axes) {
  std::vector<std::size_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  std::vector<Dim> dims;
  for (const std::size_t axis : axes) {
    const std::size_t size = shape[axis], stride = strides[axis];
    if (size == 1) continue;
    if (!dims.empty() && dims.back().from_stride == size * stride) {
      dims.back() = {dims.back().size * size, stride, 1};
    } else {
      dims.push_back({size, stride, 1});
    }
  }
  for (std::size_t i = dims.size(); i-- > 1;) {
    dims[i - 1].to_stride = dims[i].to_stride * dims[i].size;
  }
  return dims;
}

// Elements of N bytes: `fast` is the dimension with neighbours in `from`, `last` that with
// neighbours in `to`.
template <std::size_t N>
void transpose(const std::byte* from, const Dim& fast, const Dim& last, std::byte* to) {
  constexpr std::size_t kTile = 32;
  for (std::size_t i0 = 0; i0 < fast.size; i0 += kTile) {
    const std::size_t i1 = std::min(i0 + kTile, fast.size);
    for (std::size_t j0 = 0; j0 < last.size; j0 += kTile) {
      const std::size_t j1 = std::min(j0 + kTile, last.size);
      for (std::size_t i = i0; i < i1; ++i) {
        for (std::size_t j = j0; j < j1; ++j) {
          std::memcpy(to + (i * fast.to_stride + j) * N, from + (i + j * last.from_stride) * N, N);
        }
      }
    }
  }
}

// Calls copy(from, to) with the first element of each combination of `outer`.
template <std::size_t N, class Copy>
void for_each_place(std::span<const Dim> outer, const std::byte* from, std::byte* to,
                    const Copy& copy) {
  if (outer.empty()) return copy(from, to);
  for (std::size_t i = 0; i < outer[0].size; ++i) {
    for_each_place<N>(outer.subspan(1), from + i * outer[0].from_stride * N,
                      to + i * outer[0].to_stride * N, copy);
  }
}

template <std::size_t N>
void permute_elements(std::vector<Dim> dims, const std::byte* from, std::byte* to) {
  const Dim last = dims.back();
  dims.pop_back();
  if (last.from_stride == 1) {
    return for_each_place<N>(dims, from, to, [&](const std::byte* source, std::byte* target) {
      std::memcpy(target, source, last.size * N);
    });
  }
  const auto found = std::ranges::find(dims, std::size_t{1}, &Dim::from_stride);
  const Dim fast = *found;
  dims.erase(found);
  for_each_place<N>(dims, from, to, [&](const std::byte* source, std::byte* target) {
    transpose<N>(source, fast, last, target);
  });
}

}  // namespace

void permute(std::span<const std::byte> from, std::span<const std::size_t> shape,
             std::span<const std::size_t> axes, std::span<std::byte> to) {
  assert(from.size() == to.size());
  const std::size_t count = element_count(shape);
  if (count == 0) return;
  const std::vector<Dim> dims = dims_of(shape, axes);
  if (dims.size() < 2) {
    std::memcpy(to.data(), from.data(), from.size());
    return;
  }
  switch (from.size() / count) {
    case 1:
      return permute_elements<1>(dims, from.data(), to.data());
    case 2:
      return permute_elements<2>(dims, from.data(), to.data());
    case 4:
      return permute_elements<4>(dims, from.data(), to.data());
    default:
      assert(from.size() / count == 8);
      return permute_elements<8>(dims, from.data(), to.data());
  }
}

std::vector<std::byte> to_canonical(const TensorInfo& info, std::vector<std::byte> bytes) {
  if (info.layout.axes.empty()) return bytes;
  std::vector<std::byte> canonical(bytes.size());
  permute(bytes, info.shape, info.layout.axes, canonical);
  return canonical;
}

std::vector<std::byte> from_canonical(const TensorInfo& info, std::vector<std::byte> bytes) {
  const std::vector<std::size_t>& axes = info.layout.axes;
  if (axes.empty()) return bytes;
  std::vector<std::byte> in_file(bytes.size());
  permute(bytes, canonical_shape(info.shape, axes), inverse_axes(axes), in_file);
  return in_file;
}

std::vector<std::size_t> inverse_axes(std::span<const std::size_t> axes) {
  std::vector<std::size_t> inverse(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) inverse[axes[i]] = i;
  return inverse;
}

}  // namespace pqw
