// Elements of a .npy file rearranged: row-major, little-endian.
#include <algorithm>
#include <cstring>
#include <new>

#include "formats/byte_order.h"
#include "formats/npy.h"

namespace pqw {
namespace {

// to[r * to_stride + c] = from[c * from_stride + r], in tiles that stay in the cache.
template <std::size_t kBytes>
void transpose(std::size_t rows, std::size_t cols, const std::byte* from, std::size_t from_stride,
               std::byte* to, std::size_t to_stride) {
  constexpr std::size_t kTile = 32;
  for (std::size_t r0 = 0; r0 < rows; r0 += kTile) {
    for (std::size_t c0 = 0; c0 < cols; c0 += kTile) {
      for (std::size_t r = r0; r < std::min(rows, r0 + kTile); ++r) {
        for (std::size_t c = c0; c < std::min(cols, c0 + kTile); ++c) {
          std::memcpy(to + (r * to_stride + c) * kBytes, from + (c * from_stride + r) * kBytes,
                      kBytes);
        }
      }
    }
  }
}

// The first and the last index span a matrix that is transposed once for every value of the
// indices between them.
template <std::size_t kBytes>
void reorder(std::span<const std::size_t> shape, const std::byte* from, std::byte* to) {
  const std::size_t rows = shape.front(), cols = shape.back();
  const auto middle = shape.subspan(1, shape.size() - 2);
  std::size_t n_middle = 1;
  for (const std::size_t dim : middle) n_middle *= dim;
  for (std::size_t m = 0; m < n_middle; ++m) {  // m: the middle indices, row-major
    std::size_t column_major = 0, rest = m, stride = n_middle;
    for (std::size_t i = middle.size(); i-- > 0;) {
      stride /= middle[i];
      column_major += rest % middle[i] * stride;
      rest /= middle[i];
    }
    transpose<kBytes>(rows, cols, from + column_major * rows * kBytes, rows * n_middle,
                      to + m * cols * kBytes, n_middle * cols);
  }
}

bool is_transposed(const NpyHeader& header) {
  const auto has_extent = [](std::size_t dim) { return dim > 1; };
  const Shape& shape = header.info.shape;
  return header.fortran_order && header.data_bytes > 0 &&
         std::count_if(shape.begin(), shape.end(), has_extent) > 1;
}

}  // namespace

bool needs_conversion(const NpyHeader& header) {
  return header.data_bytes > 0 && (header.big_endian || is_transposed(header));
}

std::vector<std::byte> allocate_bytes(const Subject& subject, std::size_t size) {
  try {
    return std::vector<std::byte>(size);
  } catch (const std::bad_alloc&) {
    throw subject.error(ErrorCode::kIo, "not enough memory for {} bytes", size);
  }
}

void fortran_to_row_major(std::span<const std::size_t> shape, std::size_t element_bytes,
                          std::span<const std::byte> from, std::span<std::byte> to) {
  if (shape.size() < 2) {
    std::copy(from.begin(), from.end(), to.begin());
    return;
  }
  switch (element_bytes) {
    case 1:
      return reorder<1>(shape, from.data(), to.data());
    case 2:
      return reorder<2>(shape, from.data(), to.data());
    case 4:
      return reorder<4>(shape, from.data(), to.data());
    default:
      return reorder<8>(shape, from.data(), to.data());
  }
}

std::vector<std::byte> convert_npy(const Subject& subject, const NpyHeader& header,
                                   std::span<const std::byte> stored) {
  const std::size_t element_bytes = size_in_bytes(header.info.dtype);
  std::vector<std::byte> bytes = allocate_bytes(subject, stored.size());
  if (is_transposed(header)) {
    fortran_to_row_major(header.info.shape, element_bytes, stored, bytes);
  } else {
    std::copy(stored.begin(), stored.end(), bytes.begin());
  }
  if (header.big_endian) swap_bytes(bytes, element_bytes);
  return bytes;
}

}  // namespace pqw
