// Recorded inputs of a weight as rows of x in y = x Wᵀ.
#include "compress/input_rows.h"

#include <algorithm>

#include "codecs/train/fields.h"
#include "pqw/core/matrix.h"

namespace pqw {
namespace {

constexpr std::size_t kMostStep = 1 << 16;  // of a stride, padding or dilation
constexpr std::size_t kMostKernelDimensions = 8;

std::optional<std::vector<std::size_t>> numbers_from(std::string_view text, std::size_t least) {
  std::vector<std::size_t> numbers;
  while (numbers.size() < kMostKernelDimensions) {
    const std::size_t end = std::min(text.find('x'), text.size());
    const std::optional<std::size_t> number = count(least, kMostStep).parse(text.substr(0, end));
    if (!number) return std::nullopt;
    numbers.push_back(*number);
    if (end == text.size()) return numbers;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

std::size_t number_for(const std::vector<std::size_t>& numbers, std::size_t dimension,
                       std::size_t n_dimensions, const char* key, const TensorInfo& weight) {
  if (numbers.size() == 1) return numbers[0];
  if (numbers.size() == n_dimensions) return numbers[dimension];
  throw tensor_subject(weight.name)
      .error("{} has {} numbers, expected 1 or {} for the kernel of shape {}", key, numbers.size(),
             n_dimensions, to_string(weight.shape));
}

std::string expected_shape(const TensorInfo& weight, std::size_t cols) {
  const std::size_t inputs = weight.shape[1];
  if (weight.shape.size() == 2) return fmt::format("[..., {}]", inputs);
  std::string kernel;
  for (std::size_t i = 2; i < weight.shape.size(); ++i) kernel += ", spatial";
  return fmt::format(
      "[n, {}{}] or [rows, {}]{}", inputs, kernel, cols,
      weight.layout.kind == Kind::kTransposedConv ? "" : ", or G times as many in G groups");
}

}  // namespace

bool set_window(const std::string& key, const std::string& value, Window& window) {
  const auto set = [&](std::vector<std::size_t>& numbers, std::size_t least) {
    auto parsed = numbers_from(value, least);
    if (!parsed) {
      bad_value(key, value,
                fmt::format("a whole number from {} to {}, or one for each dimension of the "
                            "kernel, such as 2x1",
                            least, kMostStep));
    }
    numbers = std::move(*parsed);
    return true;
  };
  if (key == "stride") return set(window.stride, 1);
  if (key == "padding") return set(window.padding, 0);
  return key == "dilation" && set(window.dilation, 1);
}

InputRows::InputRows(const Shape& shape, const TensorInfo& weight, const Window& window,
                     const Subject& array)
    : cols_(matrix_shape(weight.shape).cols),
      channels_(weight.shape[1]),
      transposed_(weight.layout.kind == Kind::kTransposedConv) {
  const std::size_t rank = weight.shape.size();
  const auto are_groups_of = [&](std::size_t of_array, std::size_t of_group) {
    return of_array == of_group || (!transposed_ && of_array > 0 && of_array % of_group == 0 &&
                                    weight.shape[0] % (of_array / of_group) == 0);
  };
  const bool is_linear = rank == 2 && !shape.empty() && shape.back() == cols_;
  const bool is_rows =
      cols_ > 0 && (is_linear || (rank > 2 && shape.size() == 2 && are_groups_of(shape[1], cols_)));
  const bool is_image =
      cols_ > 0 && rank > 2 && shape.size() == rank && are_groups_of(shape[1], channels_);
  if (!is_rows && !is_image) {
    throw array.error("shape {}, expected {} for the weight of shape {}", to_string(shape),
                      expected_shape(weight, cols_), to_string(weight.shape));
  }
  const std::size_t n_groups = is_linear ? 1 : shape[1] / (is_rows ? cols_ : channels_);
  cols_ *= n_groups;
  channels_ *= n_groups;
  if (is_rows) {
    sample_size_ = cols_;
    n_samples_ = element_count(shape) / cols_;
  } else {
    n_samples_ = shape[0];
    sample_size_ = element_count(std::span(shape).subspan(1));
    set_patches(shape, weight, window, array);
  }
}

void InputRows::set_patches(const Shape& shape, const TensorInfo& weight, const Window& window,
                            const Subject& array) {
  const std::size_t n = shape.size() - 2;
  for (std::size_t i = 0; i < n; ++i) {
    const auto number = [&](const std::vector<std::size_t>& numbers, const char* key) {
      return number_for(numbers, i, n, key, weight);
    };
    Dimension d{shape[i + 2],
                weight.shape[i + 2],
                0,
                number(window.stride, "stride"),
                number(window.padding, "padding"),
                number(window.dilation, "dilation")};
    const std::size_t span = d.dilation * (d.kernel - 1) + 1;
    const std::size_t padded = d.size + 2 * d.padding;
    if (transposed_) {
      const std::size_t whole = d.size == 0 ? 0 : (d.size - 1) * d.stride + span;
      if (whole <= 2 * d.padding) {
        throw array.error("shape {}: dimension {} gives no outputs with padding {}",
                          to_string(shape), i + 2, d.padding);
      }
      d.outputs = whole - 2 * d.padding;
    } else if (padded < span) {
      throw array.error(
          "shape {}: dimension {} with padding {} has {} elements, the kernel spans {}",
          to_string(shape), i + 2, d.padding, padded, span);
    } else {
      d.outputs = (padded - span) / d.stride + 1;
    }
    dimensions_.push_back(d);
    rows_per_sample_ *= d.outputs;
  }
}

std::optional<std::size_t> InputRows::place_of(std::span<const std::size_t> start,
                                               std::size_t tap) const {
  std::size_t place = 0, stride = 1;
  for (std::size_t i = dimensions_.size(); i-- > 0;) {
    const Dimension& d = dimensions_[i];
    // Before the first element: wraps round, and is beyond the last one.
    std::size_t at = start[i] + tap % d.kernel * d.dilation - d.padding;
    if (transposed_) {
      const std::size_t moved = start[i] + d.padding, back = tap % d.kernel * d.dilation;
      if (moved < back || (moved - back) % d.stride != 0) return std::nullopt;
      at = (moved - back) / d.stride;
    }
    if (at >= d.size) return std::nullopt;
    place += at * stride;
    stride *= d.size;
    tap /= d.kernel;
  }
  return place;
}

void InputRows::gather(std::span<const double> sample, std::size_t row,
                       std::span<double> to) const {
  if (dimensions_.empty()) {
    std::ranges::copy(sample, to.begin());
    return;
  }
  std::vector<std::size_t> start(dimensions_.size());
  for (std::size_t i = dimensions_.size(); i-- > 0;) {
    start[i] = row % dimensions_[i].outputs * (transposed_ ? 1 : dimensions_[i].stride);
    row /= dimensions_[i].outputs;
  }
  const std::size_t n_taps = cols_ / channels_, plane = sample_size_ / channels_;
  for (std::size_t tap = 0; tap < n_taps; ++tap) {
    const std::optional<std::size_t> place = place_of(start, tap);
    for (std::size_t c = 0; c < channels_; ++c) {
      to[c * n_taps + tap] = place ? sample[c * plane + *place] : 0;
    }
  }
}

std::string obstacle_to_rows(const TensorInfo& weight) {
  if (weight.layout.kind != Kind::kDepthwise || weight.shape.size() <= 2 || weight.shape[1] == 1)
    return "";
  return fmt::format(
      "is the input of a depthwise convolution with {} outputs for each channel, for which there "
      "are "
      "no statistics",
      weight.shape[1]);
}

}  // namespace pqw
