// Weights that were quantized to int8 elsewhere: which tensors of a file belong together.
#include "pipeline/int8_reference.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

namespace pqw {
namespace {

using Names = std::map<std::string, std::size_t, std::less<>>;

std::optional<std::size_t> find(const Names& names, const std::string& name) {
  const auto found = names.find(name);
  if (found == names.end()) return std::nullopt;
  return found->second;
}

bool is_integer(DType dtype) {
  constexpr std::array kIntegers{DType::kI8, DType::kI16, DType::kI32, DType::kI64, DType::kU8};
  return std::ranges::find(kIntegers, dtype) != kIntegers.end();
}

// One element, or one per output.
bool is_per_output(const TensorInfo& info, std::size_t n_outputs) {
  const std::size_t count = element_count(info.shape);
  return count == 1 || (count == n_outputs && info.shape.front() == n_outputs);
}

std::optional<Int8Reference> reference_of(std::span<const TensorInfo> tensors, const Names& names,
                                          std::size_t index) {
  const TensorInfo& info = tensors[index];
  if (info.dtype != DType::kI8 || info.shape.size() < 2 || element_count(info.shape) == 0) {
    return std::nullopt;
  }
  std::string prefix = info.name + "_";
  constexpr std::string_view kWeight = "weight";
  if (!names.contains(prefix + "scale") && info.name.ends_with(kWeight)) {
    prefix = info.name.substr(0, info.name.size() - kWeight.size());
  }
  const auto scale = find(names, prefix + "scale");
  if (!scale || !is_compressible(tensors[*scale].dtype) ||
      !is_per_output(tensors[*scale], canonical(info).shape[0])) {
    return std::nullopt;
  }
  const auto zero_point = find(names, prefix + "zero_point");
  if (zero_point && (!is_integer(tensors[*zero_point].dtype) ||
                     tensors[*zero_point].shape != tensors[*scale].shape)) {
    return std::nullopt;
  }
  return Int8Reference{index, *scale, zero_point};
}

}  // namespace

std::vector<Int8Reference> find_int8_references(std::span<const TensorInfo> tensors) {
  Names names;
  for (std::size_t i = 0; i < tensors.size(); ++i) names.emplace(tensors[i].name, i);
  std::vector<Int8Reference> references;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (const auto reference = reference_of(tensors, names, i)) references.push_back(*reference);
  }
  return references;
}

}  // namespace pqw
