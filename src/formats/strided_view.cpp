// Reads and writes tensors that are views of a storage.
#include "formats/strided_view.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace pqw {
namespace {

struct Axis {
  std::size_t size;
  std::uint64_t storage;  // the distance of neighbours, in elements
  std::uint64_t tensor;
};
using Axes = std::vector<Axis>;

// A part of the tensor: the elements of `axes`, from these elements on.
struct Window {
  Axes axes;
  std::uint64_t storage = 0;
  std::uint64_t tensor = 0;
};

Window whole(const StridedView& view) {
  Window window{.axes = {}, .storage = view.offset};
  std::uint64_t distance = 1;
  for (std::size_t i = view.shape.size(); i-- > 0; distance *= view.shape[i]) {
    if (view.shape[i] != 1) {
      window.axes.push_back({view.shape[i], view.strides[i], distance});
    }
  }
  std::ranges::reverse(window.axes);
  return window;
}

std::uint64_t count_of(const Axes& axes) {
  std::uint64_t count = 1;
  for (const Axis& axis : axes) count *= axis.size;
  return count;
}

// Elements of the storage from the first to the last.
std::uint64_t span_of(const Axes& axes) {
  std::uint64_t span = 1;
  for (const Axis& axis : axes) span += (axis.size - 1) * axis.storage;
  return span;
}

// Divides a part along its largest distance until its range of the storage is not much larger than
// itself.
void split(Window window, std::size_t element_bytes,
           const std::function<void(const Window&)>& use) {
  constexpr std::uint64_t kSmallBytes = 64 * 1024;
  const std::uint64_t span = span_of(window.axes);
  if (span * element_bytes <= kSmallBytes || span / 4 <= count_of(window.axes)) {
    use(window);
    return;
  }
  const auto largest = std::ranges::max_element(window.axes, {}, &Axis::storage);
  const Axis axis = *largest;
  window.axes.erase(largest);
  for (std::size_t i = 0; i < axis.size; ++i) {
    split({window.axes, window.storage + i * axis.storage, window.tensor + i * axis.tensor},
          element_bytes, use);
  }
}

// Calls `copy` with an element of the storage and its element of the tensor.
template <class Copy>
void for_each(std::span<const Axis> axes, std::uint64_t storage, std::uint64_t tensor,
              const Copy& copy) {
  if (axes.empty()) {
    copy(storage, tensor);
    return;
  }
  for (std::size_t i = 0; i < axes[0].size; ++i) {
    for_each(axes.subspan(1), storage + i * axes[0].storage, tensor + i * axes[0].tensor, copy);
  }
}

// Copies the elements of a window out of the storage if its bytes are const, else into it. `storage`
// are the bytes from the first element of the window on, `tensor` all bytes of the tensor.
template <std::size_t kBytes, class Storage, class Tensor>
void copy_elements(const Window& window, Storage* storage, Tensor* tensor) {
  for_each(window.axes, 0, window.tensor, [&](std::uint64_t in_storage, std::uint64_t in_tensor) {
    if constexpr (std::is_const_v<Storage>) {
      std::memcpy(tensor + in_tensor * kBytes, storage + in_storage * kBytes, kBytes);
    } else {
      std::memcpy(storage + in_storage * kBytes, tensor + in_tensor * kBytes, kBytes);
    }
  });
}

template <class Storage, class Tensor>
void copy_window(const Window& window, std::size_t element_bytes, Storage* storage,
                 Tensor* tensor) {
  switch (element_bytes) {
    case 1:
      return copy_elements<1>(window, storage, tensor);
    case 2:
      return copy_elements<2>(window, storage, tensor);
    case 4:
      return copy_elements<4>(window, storage, tensor);
    case 8:
      return copy_elements<8>(window, storage, tensor);
    default:
      return copy_elements<16>(window, storage, tensor);
  }
}

}  // namespace

std::optional<std::uint64_t> storage_elements(const StridedView& view) {
  if (std::ranges::find(view.shape, std::size_t{0}) != view.shape.end()) return 0;
  constexpr std::uint64_t kMost = INT64_MAX;
  if (view.offset >= kMost) return std::nullopt;
  std::uint64_t last = view.offset;
  for (std::size_t i = 0; i < view.shape.size(); ++i) {
    if (view.shape[i] == 1 || view.strides[i] == 0) continue;
    if (view.strides[i] > (kMost - 1 - last) / (view.shape[i] - 1)) return std::nullopt;
    last += (view.shape[i] - 1) * view.strides[i];
  }
  return last + 1;
}

bool is_contiguous(const StridedView& view) {
  return std::ranges::all_of(whole(view).axes,
                             [](const Axis& axis) { return axis.storage == axis.tensor; });
}

bool may_overlap(const StridedView& view) {
  Axes axes = whole(view).axes;
  std::erase_if(axes, [](const Axis& axis) { return axis.storage == 0; });
  std::ranges::sort(axes, {}, &Axis::storage);
  std::uint64_t span = 1;
  for (const Axis& axis : axes) {
    if (axis.storage < span) return true;
    span += (axis.size - 1) * axis.storage;
  }
  return false;
}

void read_view(const StridedView& view, std::size_t element_bytes, bool at_once,
               const ReadStorage& read, std::span<std::byte> tensor) {
  if (tensor.empty()) return;
  if (is_contiguous(view)) return read(view.offset * element_bytes, tensor);
  std::vector<std::byte> storage;
  const auto copy = [&](const Window& window) {
    storage.resize(span_of(window.axes) * element_bytes);
    read(window.storage * element_bytes, storage);
    copy_window(window, element_bytes, std::as_const(storage).data(), tensor.data());
  };
  at_once ? copy(whole(view)) : split(whole(view), element_bytes, copy);
}

void write_view(const StridedView& view, std::size_t element_bytes, const ReadStorage& read,
                const WriteStorage& write, std::span<const std::byte> tensor) {
  if (tensor.empty()) return;
  if (is_contiguous(view)) return write(view.offset * element_bytes, tensor);
  std::vector<std::byte> storage;
  split(whole(view), element_bytes, [&](const Window& window) {
    storage.resize(span_of(window.axes) * element_bytes);
    read(window.storage * element_bytes, storage);
    copy_window(window, element_bytes, storage.data(), tensor.data());
    write(window.storage * element_bytes, storage);
  });
}

}  // namespace pqw
