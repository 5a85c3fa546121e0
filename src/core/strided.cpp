// Copies tensors into memory of a caller, with strides and in the type that the caller wants.
#include "pqw/core/strided.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <vector>

#include "core/subject.h"
#include "pqw/core/convert.h"
#include "pqw/core/tensor.h"

namespace pqw {
namespace {

// A dimension of the buffer; the stride is in bytes.
struct Dim {
  std::size_t size;
  std::ptrdiff_t stride;
};

// The dimensions without those of size 1; neighbours that one stride covers are one.
std::vector<Dim> dims_of(std::span<const std::size_t> shape, const StridedBuffer& to) {
  std::vector<Dim> dims;
  auto packed = static_cast<std::ptrdiff_t>(size_in_bytes(to.dtype));
  for (std::size_t i = shape.size(); i-- > 0;) {
    const std::ptrdiff_t stride = to.strides.empty() ? packed : to.strides[i];
    packed *= static_cast<std::ptrdiff_t>(shape[i]);
    if (shape[i] == 1) continue;
    if (!dims.empty() &&
        stride == static_cast<std::ptrdiff_t>(dims.back().size) * dims.back().stride) {
      dims.back().size *= shape[i];
    } else {
      dims.push_back({shape[i], stride});
    }
  }
  std::ranges::reverse(dims);
  return dims;
}

// Whether each stride steps over all that the smaller strides reach. Refuses a few buffers that
// interleave dimensions without sharing memory; nobody makes them.
bool is_disjoint(std::span<const std::size_t> shape, const StridedBuffer& to) {
  std::vector<std::pair<std::size_t, std::size_t>> dims;  // stride without sign, steps
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return true;
    if (shape[i] == 1) continue;
    const auto stride = static_cast<std::size_t>(to.strides[i]);
    dims.emplace_back(to.strides[i] < 0 ? 0 - stride : stride, shape[i] - 1);
  }
  std::ranges::sort(dims);
  std::size_t extent = size_in_bytes(to.dtype);
  for (const auto& [stride, steps] : dims) {
    std::size_t reach = 0;
    if (stride < extent || __builtin_mul_overflow(stride, steps, &reach) ||
        __builtin_add_overflow(extent, reach, &extent)) {
      return false;
    }
  }
  return true;
}

// Copies runs of elements that follow each other in the tensor.
class RunCopy {
 public:
  RunCopy(DType from, DType to)
      : from_(from), to_(to), from_bytes_(size_in_bytes(from)), to_bytes_(size_in_bytes(to)) {}

  void copy(const std::byte* from, std::byte* to, const Dim& run) {
    if (run.stride == static_cast<std::ptrdiff_t>(to_bytes_)) return convert(from, to, run.size);
    for (std::size_t done = 0; done < run.size; done += kAtOnce) {
      const std::size_t n = std::min(kAtOnce, run.size - done);
      convert(from + done * from_bytes_, packed_.data(), n);
      std::byte* const first = to + static_cast<std::ptrdiff_t>(done) * run.stride;
      switch (to_bytes_) {
        case 1:
          scatter<1>(first, run.stride, n);
          break;
        case 2:
          scatter<2>(first, run.stride, n);
          break;
        case 4:
          scatter<4>(first, run.stride, n);
          break;
        default:
          assert(to_bytes_ == 8);
          scatter<8>(first, run.stride, n);
      }
    }
  }

  std::size_t from_bytes() const { return from_bytes_; }

 private:
  static constexpr std::size_t kAtOnce = 1024;

  void convert(const std::byte* from, std::byte* to, std::size_t n) {
    if (from_ == to_) {
      std::memcpy(to, from, n * from_bytes_);
      return;
    }
    for (std::size_t done = 0; done < n; done += kAtOnce) {
      const std::span floats(floats_.data(), std::min(kAtOnce, n - done));
      to_float({from + done * from_bytes_, floats.size() * from_bytes_}, from_, floats);
      from_float(floats, to_, {to + done * to_bytes_, floats.size() * to_bytes_});
    }
  }

  // Puts n packed elements of N bytes where they belong.
  template <std::size_t N>
  void scatter(std::byte* first, std::ptrdiff_t stride, std::size_t n) const {
    for (std::size_t i = 0; i < n; ++i) {
      std::memcpy(first + static_cast<std::ptrdiff_t>(i) * stride, packed_.data() + i * N, N);
    }
  }

  DType from_, to_;
  std::size_t from_bytes_, to_bytes_;
  std::array<float, kAtOnce> floats_;
  alignas(double) std::array<std::byte, kAtOnce * sizeof(double)> packed_;
};

// Returns where the next element of the tensor is.
const std::byte* copy_dims(RunCopy& runs, const std::byte* from, std::byte* to,
                           std::span<const Dim> dims) {
  if (dims.size() == 1) {
    runs.copy(from, to, dims[0]);
    return from + dims[0].size * runs.from_bytes();
  }
  for (std::size_t i = 0; i < dims[0].size; ++i) {
    from = copy_dims(runs, from, to + static_cast<std::ptrdiff_t>(i) * dims[0].stride,
                     dims.subspan(1));
  }
  return from;
}

}  // namespace

bool is_convertible(DType from, DType to) {
  if (is_compressible(from) && is_compressible(to)) return true;
  return from == to && from != DType::kUnknown && size_in_bits(from) % 8 == 0;
}

void require_fits(DType dtype, std::span<const std::size_t> shape, const StridedBuffer& to) {
  if (!is_convertible(dtype, to.dtype)) {
    throw invalid_argument("type {} cannot be copied as {}: only float types are converted",
                           to_string(dtype), to_string(to.dtype));
  }
  if (to.strides.empty()) return;
  if (to.strides.size() != shape.size()) {
    throw invalid_argument("{} strides for shape {}, expected one per dimension", to.strides.size(),
                           to_string(shape));
  }
  if (!is_disjoint(shape, to)) {
    throw invalid_argument("shape {} of {}: with these strides, elements share memory",
                           to_string(shape), to_string(to.dtype));
  }
}

void copy_to_strided(std::span<const std::byte> from, DType dtype,
                     std::span<const std::size_t> shape, const StridedBuffer& to) {
  require_fits(dtype, shape, to);
  assert(from.size() == element_count(shape) * size_in_bytes(dtype));
  if (from.empty()) return;
  std::vector<Dim> dims = dims_of(shape, to);
  if (dims.empty()) dims.push_back({1, static_cast<std::ptrdiff_t>(size_in_bytes(to.dtype))});
  RunCopy runs(dtype, to.dtype);
  (void)copy_dims(runs, from.data(), to.data, dims);
}

}  // namespace pqw
