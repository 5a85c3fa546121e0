// Weights that other programs product-quantized: which tensors of a file belong together.
#include "pipeline/pq_reference.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <string_view>
#include <utility>

#include "core/subject.h"

namespace pqw {
namespace {

constexpr std::size_t kMostCentroids = 65536;
constexpr std::string_view kCodeTypes =
    "integers (I8, U8, I16, U16, I32, U32 or I64)";  // is_integer

bool is_integer(DType dtype) {
  using enum DType;
  constexpr std::array kIntegers{kI8, kU8, kI16, kU16, kI32, kU32, kI64};
  return std::ranges::find(kIntegers, dtype) != kIntegers.end();
}

// F64 may not be exact as float.
bool is_float(DType dtype) { return is_compressible(dtype) && dtype != DType::kF64; }

// "I16 of shape [4, 2]"
std::string described(const TensorInfo& info) {
  return fmt::format("{} of shape {}", dtype_name(info), to_string(info.shape));
}

class Finder {
 public:
  Finder(const std::string& path, std::span<const TensorInfo> tensors)
      : path_(path), tensors_(tensors) {
    for (std::size_t i = 0; i < tensors.size(); ++i) indices_.emplace(tensors[i].name, i);
  }

  std::vector<PqReference> run() {
    std::vector<PqReference> references;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (ends_with(i, "assignments")) references.push_back(of_assignments(i));
      if (ends_with(i, "codes") && (find("codebooks") || find("scales")))
        references.push_back(of_aqlm(i));
      if (ends_with(i, "centroids")) (void)required("assignments", i);
      if (ends_with(i, "codebooks")) (void)required("codes", i);
    }
    return references;
  }

 private:
  // Whether the last part of the name is that word; then prefix_ is what comes before it.
  bool ends_with(std::size_t index, std::string_view word) {
    const std::string_view name = tensors_[index].name;
    if (!name.ends_with(word)) return false;
    const std::size_t before = name.size() - word.size();
    if (before != 0 && name[before - 1] != '.') return false;
    prefix_ = name.substr(0, before);
    return true;
  }

  std::optional<std::size_t> find(std::string_view word) const {
    const auto found = indices_.find(prefix_ + std::string(word));
    if (found == indices_.end()) return std::nullopt;
    return found->second;
  }

  std::size_t required(std::string_view word, std::size_t by) const {
    const auto found = find(word);
    if (found) return *found;
    throw at(by).error("the file has no '{}', which belongs to it",
                       shown(prefix_ + std::string(word)));
  }

  Subject at(std::size_t index) const { return Subject{path_}.in("tensor", tensors_[index].name); }

  // Throws unless the type and rank of a tensor are these.
  void require(std::size_t index, bool fits, std::string_view expected) const {
    if (fits) return;
    throw at(index).error("{}, expected {}", described(tensors_[index]), expected);
  }

  void require_sizes(const PqReference& reference) const {
    const Subject subject = at(reference.centroids);
    if (reference.n_centroids == 0 || reference.block_size == 0) {
      throw subject.error("shape {} has no centroids",
                          to_string(tensors_[reference.centroids].shape));
    }
    if (reference.n_centroids > kMostCentroids) {
      throw subject.error(ErrorCode::kUnsupported, "{} centroids, archives have {} at most",
                          reference.n_centroids, kMostCentroids);
    }
    if (reference.n_blocks == 0) throw at(reference.codes).error("the tensor has no codes");
  }

  PqReference of_assignments(std::size_t index) const {
    const std::size_t centroids = required("centroids", index);
    PqReference reference{prefix_ + "weight", PqLayout::kAssignments, index, centroids};
    const TensorInfo& codes = tensors_[index];
    const TensorInfo& values = tensors_[centroids];
    require(index, is_integer(codes.dtype) && codes.shape.size() == 1,
            fmt::format("{} of rank 1", kCodeTypes));
    require(centroids, is_float(values.dtype) && values.shape.size() == 2,
            "F32, F16 or BF16 of shape [centroids, block size]");
    reference.n_blocks = codes.shape[0];
    reference.n_centroids = values.shape[0];
    reference.block_size = values.shape[1];
    require_sizes(reference);
    const auto counts = find("counts");
    if (counts && tensors_[*counts].shape == Shape{reference.n_centroids})
      reference.counts = counts;
    return reference;
  }

  PqReference of_aqlm(std::size_t index) const {
    const std::size_t codebooks = required("codebooks", index);
    PqReference reference{prefix_ + "weight", PqLayout::kAqlm, index, codebooks};
    const TensorInfo& codes = tensors_[index];
    const TensorInfo& values = tensors_[codebooks];
    require(index, is_integer(codes.dtype) && codes.shape.size() == 3,
            fmt::format("{} of shape [output groups, input groups, codebooks]", kCodeTypes));
    require(codebooks, is_float(values.dtype) && values.shape.size() == 4,
            "F32, F16 or BF16 of shape [codebooks, centroids, out group size, in group size]");
    if (codes.shape[2] != values.shape[0]) {
      throw at(index).error("shape {} has codes of {} codebooks, '{}' has {} codebooks",
                            to_string(codes.shape), codes.shape[2], shown(values.name),
                            values.shape[0]);
    }
    require_expressible(codebooks);
    reference.rows = codes.shape[0];
    reference.n_blocks = codes.shape[0] * codes.shape[1];
    reference.n_additive = values.shape[0];
    reference.n_centroids = values.shape[1];
    reference.block_size = values.shape[3];
    require_sizes(reference);
    if (!std::has_single_bit(reference.n_centroids)) {
      throw at(codebooks).error("{} centroids, expected a power of two", reference.n_centroids);
    }
    reference.scales = find("scales");
    if (reference.scales) require_scales(*reference.scales, reference.rows);
    return reference;
  }

  void require_expressible(std::size_t codebooks) const {
    const Shape& shape = tensors_[codebooks].shape;
    if (shape[0] < 1 || shape[0] > kMostAdditive) {
      throw at(codebooks).error(ErrorCode::kUnsupported,
                                "{} codebooks, whose centroids are added; a pq weight has 1 to {}",
                                shape[0], kMostAdditive);
    }
    if (shape[2] != 1) {
      throw at(codebooks).error(ErrorCode::kUnsupported,
                                "out_group_size {}; a block of a pq weight lies in one row: only "
                                "files of out_group_size 1 can be imported",
                                shape[2]);
    }
  }

  void require_scales(std::size_t index, std::size_t rows) const {
    const TensorInfo& scales = tensors_[index];
    const Shape& shape = scales.shape;
    const bool is_per_row = !shape.empty() && shape[0] == rows && element_count(shape) == rows;
    require(index, is_float(scales.dtype) && is_per_row,
            fmt::format("F32, F16 or BF16 of shape [{}, 1, 1, 1]", rows));
  }

  const std::string& path_;
  std::span<const TensorInfo> tensors_;
  std::map<std::string, std::size_t> indices_;
  std::string prefix_;
};

}  // namespace

std::vector<PqReference> find_pq_references(const std::string& path,
                                            std::span<const TensorInfo> tensors) {
  return Finder(path, tensors).run();
}

void require_shape(const std::string& path, const PqReference& reference, const Shape& shape) {
  const Subject subject = Subject{path, ErrorCode::kInvalidArgument}.in("tensor", reference.weight);
  const auto count = checked_element_count(shape);
  if (shape.size() < 2 || !count) {
    throw subject.error("shape {}, expected a rank of 2 or more", to_string(shape));
  }
  const MatrixShape matrix = matrix_shape(shape);
  if (matrix.cols % reference.block_size != 0) {
    throw subject.error("shape {} has rows of {} weights, expected a multiple of the block size {}",
                        to_string(shape), matrix.cols, reference.block_size);
  }
  if (*count / reference.block_size != reference.n_blocks) {
    throw subject.error("shape {} has {} blocks of {} weights, but there are {} codes",
                        to_string(shape), *count / reference.block_size, reference.block_size,
                        reference.n_blocks);
  }
  if (reference.rows != 0 && reference.rows != matrix.rows) {
    throw subject.error("shape {} has {} rows, but there are codes of {} rows", to_string(shape),
                        matrix.rows, reference.rows);
  }
}

}  // namespace pqw
