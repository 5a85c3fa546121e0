// ONNX nodes that decode a weight.
#include "pipeline/onnx_decoder.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <variant>
#include <vector>

#include "codecs/pq/value/additive.h"
#include "codecs/pq/value/row_scales.h"
#include "core/bit_packing.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

using Ints = OnnxNodes::Ints;

constexpr std::int64_t kBfloatSince = 13;  // opset of Cast

std::int64_t integer(std::size_t value) { return static_cast<std::int64_t>(value); }

Ints integers(const Shape& shape) {
  Ints result;
  for (const std::size_t dim : shape) result.push_back(integer(dim));
  return result;
}

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

// Codes are cut into planes of 8, 4, 2 and 1 bits, the low bits first, so that packed codes of any
// width take as many bits as in an archive. A byte of a plane of w < 8 bits holds 8 / w codes, low
// bits first. As operators that unpack bits came late, a table does it: row b of [256, 8 / w] holds
// the codes of byte b.
constexpr std::array<unsigned, 4> kPlaneBits = {8, 4, 2, 1};

std::vector<std::uint8_t> unpacking_table(unsigned width) {
  std::vector<std::uint8_t> table;
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (unsigned shift = 0; shift < 8; shift += width) {
      table.push_back(static_cast<std::uint8_t>(byte >> shift & ((1u << width) - 1)));
    }
  }
  return table;
}

// Layout: [rows][ceil(cols * width / 8)], each row packed on its own.
std::vector<std::uint8_t> pack_plane(std::span<const std::uint16_t> codes, std::size_t cols,
                                     unsigned shift, unsigned width) {
  const std::size_t per_byte = 8 / width, row_bytes = (cols + per_byte - 1) / per_byte;
  std::vector<std::uint8_t> bytes(codes.size() / cols * row_bytes);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t row = i / cols, col = i % cols;
    const unsigned code = codes[i] >> shift & ((1u << width) - 1);
    std::uint8_t& byte = bytes[row * row_bytes + col / per_byte];
    byte = static_cast<std::uint8_t>(byte | code << (col % per_byte * width));
  }
  return bytes;
}

// Builds matrices of floats [rows, cols], or of the rows that ids name.
class Decoder {
 public:
  // Without ids: all rows.
  Decoder(OnnxNodes& nodes, std::optional<std::string> ids) : nodes_(nodes), ids_(std::move(ids)) {}

  std::string matrix(const Weight& weight) {
    return std::visit([&](const auto& w) { return matrix_of(w); },
                      static_cast<const Weight::Base&>(weight));
  }

 private:
  // Rows of an initializer [rows, cols].
  std::string rows_of(const std::string& all, std::int64_t cols) {
    return ids_ ? nodes_.reshape(nodes_.gather(all, *ids_), {-1, cols}) : all;
  }

  template <class T>
  std::string stored(DType dtype, const std::vector<T>& values, std::size_t cols) {
    const std::int64_t rows = integer(values.size() * sizeof(T) * 8 / size_in_bits(dtype) / cols);
    return rows_of(nodes_.constant(dtype, {rows, integer(cols)}, bytes_of(values)), integer(cols));
  }

  std::string matrix_of(const PlainWeight& weight) {
    return nodes_.cast(stored(weight.dtype, weight.bytes, weight.cols()), DType::kF32);
  }

  // Not DequantizeLinear: onnxruntime does not fold it into a constant, so that layers would run
  // with other kernels and round differently.
  std::string matrix_of(const Int8Weight& weight) {
    std::string values = nodes_.cast(stored(DType::kI8, weight.values, weight.cols()), DType::kF32);
    const bool is_one = weight.scales.size() == 1;
    if (!weight.zero_points.empty()) {
      const std::string points =
          is_one ? nodes_.constant(DType::kI8, {1}, bytes_of(weight.zero_points))
                 : stored(DType::kI8, weight.zero_points, 1);
      values = nodes_.add("Sub", {values, nodes_.cast(points, DType::kF32)});
    }
    const std::string scales = is_one ? nodes_.constant(DType::kF32, {1}, bytes_of(weight.scales))
                                      : stored(DType::kF32, weight.scales, 1);
    return nodes_.add("Mul", {values, scales});
  }

  std::string matrix_of(const TcqWeight& weight) {
    std::vector<float> steps;
    for (std::size_t r = 0; r < weight.rows(); ++r) steps.push_back(weight.row_step(r));
    const std::string rows =
        nodes_.add("Mul", {integers_of(weight), stored(DType::kF32, steps, 1)});
    if (weight.means.empty()) return rows;
    const Ints shape = {integer(weight.cols())};
    return nodes_.add("Add", {rows, nodes_.constant(DType::kF32, shape, bytes_of(weight.means))});
  }

  // F32 [rows, cols]: gathered from a table of the distinct integers. These are few, so that their
  // codes take fewer bits than they would.
  std::string integers_of(const TcqWeight& weight) {
    const std::set<std::int16_t> distinct(weight.values.begin(), weight.values.end());
    const std::vector<std::int16_t> table(distinct.begin(), distinct.end());
    std::vector<std::uint16_t> codes;
    for (const std::int16_t value : weight.values) {
      const auto at = std::ranges::lower_bound(table, value);
      codes.push_back(static_cast<std::uint16_t>(at - table.begin()));
    }
    const Ints shape = {integer(table.size())};
    const std::string integers = nodes_.constant(DType::kI16, shape, bytes_of(table));
    return nodes_.gather(
        nodes_.cast(integers, DType::kF32),
        unpacked(codes, weight.rows(), weight.cols(), std::max(1u, bits_for(table.size()))));
  }

  std::string matrix_of(const LowRankWeight& weight) {
    const std::string outer = matrix(*weight.outer);
    const std::string inner = Decoder(nodes_, std::nullopt).matrix(*weight.inner);
    return nodes_.add("MatMul", {outer, inner});
  }

  std::string matrix_of(const TensorizedWeight&) { return ""; }  // has_decoder is false

  std::string matrix_of(const PqWeight& weight) {
    const std::size_t cols = weight.cols(), padded = weight.positions() * weight.block_size;
    const bool is_additive = weight.n_additive > 1;
    const PqWeight wide = is_additive ? side_by_side(weight) : PqWeight();
    const PqWeight& coded = is_additive ? wide : weight;
    std::string codebooks = codebooks_of(coded);
    std::string rows = nodes_.gather(codebooks, codes_of(coded));  // [rows, P, d]
    if (is_additive) {
      rows = nodes_.reshape(rows, {-1, integer(weight.n_additive), integer(padded)});
      rows = nodes_.sum_over_dimension_1(rows);
    }
    rows = nodes_.reshape(rows, {-1, integer(padded)});
    if (padded != cols) rows = nodes_.first_columns(rows, integer(cols));
    if (weight.row_scales.empty()) return rows;
    return nodes_.add("Mul", {rows, row_scales_of(weight)});
  }

  // F32 [groups * K, d]
  std::string codebooks_of(const PqWeight& weight) {
    const Ints shape = {integer(weight.n_groups * weight.n_centroids), integer(weight.block_size)};
    if (weight.codebook_dtype == DType::kF32) {
      return nodes_.constant(DType::kF32, shape, bytes_of(weight.codebooks));
    }
    std::vector<std::byte> halves(weight.codebooks.size() * 2);
    from_float(weight.codebooks, DType::kF16, halves);
    return nodes_.cast(nodes_.constant(DType::kF16, shape, halves), DType::kF32);
  }

  // I32 [rows, P]: rows of all codebooks as one
  std::string codes_of(const PqWeight& weight) {
    const std::size_t n_rows = weight.rows(), n_positions = weight.positions();
    std::vector<std::uint16_t> codes(weight.codes.size());  // [rows][P]
    for (std::size_t p = 0; p < n_positions; ++p) {
      for (std::size_t r = 0; r < n_rows; ++r) {
        codes[r * n_positions + p] = weight.codes[p * n_rows + r];
      }
    }
    const std::string sum =
        unpacked(codes, n_rows, n_positions, std::max(1u, bits_for(weight.n_centroids)));
    if (weight.n_groups == 1) return sum;
    std::vector<std::int32_t> first;
    for (const std::uint32_t group : group_of_positions(weight)) {
      first.push_back(static_cast<std::int32_t>(group * weight.n_centroids));
    }
    return nodes_.add("Add",
                      {sum, nodes_.constant(DType::kI32, {integer(n_positions)}, bytes_of(first))});
  }

  // I32 [rows, cols]: codes of that many bits.
  std::string unpacked(std::span<const std::uint16_t> codes, std::size_t rows, std::size_t cols,
                       unsigned bits) {
    std::string sum;
    unsigned shift = 0;
    for (const unsigned width : kPlaneBits) {
      while (bits - shift >= width) {
        std::string plane = plane_of(codes, rows, cols, shift, width);
        if (shift > 0) plane = nodes_.add("Mul", {plane, scalar(1 << shift)});
        sum = sum.empty() ? plane : nodes_.add("Add", {sum, plane});
        shift += width;
      }
    }
    return sum;
  }

  std::string scalar(std::int32_t value) {
    return nodes_.constant(DType::kI32, {1}, bytes_of(std::vector{value}));
  }

  // I32 [rows, P]: some bits of the codes. All rows are packed as one if all are decoded.
  std::string plane_of(std::span<const std::uint16_t> codes, std::size_t n_rows,
                       std::size_t n_positions, unsigned shift, unsigned width) {
    const std::size_t cols = ids_ || width == 8 ? n_positions : codes.size();
    const std::vector<std::uint8_t> bytes = pack_plane(codes, cols, shift, width);
    const std::size_t row_bytes = bytes.size() / (codes.size() / cols);
    const std::string plane = stored(DType::kU8, bytes, row_bytes);
    if (width == 8) return nodes_.cast(plane, DType::kI32);
    const std::int64_t per_byte = 8 / width, unpacked = integer(row_bytes) * per_byte;
    const std::string table =
        nodes_.constant(DType::kU8, {256, per_byte}, bytes_of(unpacking_table(width)));
    std::string result = nodes_.gather(table, nodes_.cast(plane, DType::kI32));
    result = nodes_.reshape(result, {-1, unpacked});
    if (unpacked != integer(cols)) result = nodes_.first_columns(result, integer(cols));
    if (cols != n_positions)
      result = nodes_.reshape(result, {integer(n_rows), integer(n_positions)});
    return nodes_.cast(result, DType::kI32);
  }

  // F32 [rows, 1]
  std::string row_scales_of(const PqWeight& weight) {
    const std::vector<std::byte> bytes =
        bytes_of_row_scales(weight.row_scales, weight.row_scale_type);
    if (weight.row_scale_type == RowScales::kF16) {
      return nodes_.cast(stored(DType::kF16, bytes, 1), DType::kF32);
    }
    std::vector<std::byte> all(256);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
    const std::string table =
        nodes_.constant(DType::kF32, {256}, bytes_of(row_scales_of_bytes(all, RowScales::kLog8)));
    return nodes_.gather(table, nodes_.cast(stored(DType::kU8, bytes, 1), DType::kI32));
  }

  OnnxNodes& nodes_;
  const std::optional<std::string> ids_;
};

// To the type of the tensor. Values beyond the range of F16 become its largest, as pqw decodes
// them.
std::string converted(OnnxNodes& nodes, std::string value, DType dtype) {
  if (dtype == DType::kF32) return value;
  if (dtype == DType::kF16) {
    const auto limit = [&](float most) {
      return nodes.constant(DType::kF32, {1}, bytes_of(std::vector{most}));
    };
    value = nodes.add("Max", {nodes.add("Min", {value, limit(65504)}), limit(-65504)});
  }
  return nodes.cast(value, dtype);
}

bool is_castable(DType dtype, std::int64_t opset) {
  return is_compressible(dtype) && (dtype != DType::kBF16 || opset >= kBfloatSince);
}

}  // namespace

bool has_decoder(const Weight& weight, const TensorInfo& info, std::int64_t opset) {
  if (!is_castable(info.dtype, opset) || element_count(info.shape) == 0) return false;
  if (std::holds_alternative<TensorizedWeight>(weight)) return false;
  if (const auto* const low = std::get_if<LowRankWeight>(&weight)) {
    const auto is_fit = [&](const Weight& factor) {
      const WeightHead& head = head_of(factor);
      return has_decoder(factor, {"", head.dtype, head.shape}, opset);
    };
    return is_fit(*low->outer) && is_fit(*low->inner);
  }
  return true;
}

void add_decoder(OnnxNodes& nodes, const Weight& weight, const TensorInfo& info,
                 const std::string& name) {
  std::string value = Decoder(nodes, std::nullopt).matrix(weight);
  const std::vector<std::size_t>& axes = info.layout.axes;
  const Shape shape = canonical_shape(info.shape, axes);
  if (shape.size() != 2) value = nodes.reshape(value, integers(shape));
  if (!axes.empty()) {
    Ints order(axes.size());  // dimension axes[i] of the file is dimension i
    for (std::size_t i = 0; i < axes.size(); ++i) order[axes[i]] = integer(i);
    value = nodes.transpose(value, order);
  }
  (void)converted(nodes, std::move(value), info.dtype);
  nodes.name_last(name);
}

void add_row_decoder(OnnxNodes& nodes, const Weight& weight, const TensorInfo& info,
                     const std::string& ids, const std::string& name) {
  const std::string value = converted(nodes, Decoder(nodes, ids).matrix(weight), info.dtype);
  const std::string shape =
      nodes.concat({nodes.add("Shape", {ids}), nodes.integers({integer(info.shape[1])})});
  nodes.add("Reshape", {value, shape});
  nodes.name_last(name);
}

OnnxFactors add_factors(OnnxNodes& nodes, const LowRankWeight& weight, const TensorInfo& info) {
  const bool is_transposed = info.layout.axes == std::vector<std::size_t>{1, 0};
  const auto add = [&](const Weight& factor) {
    const std::string value = Decoder(nodes, std::nullopt).matrix(factor);
    return converted(nodes, is_transposed ? nodes.transpose(value, {1, 0}) : value, info.dtype);
  };
  std::string outer = add(*weight.outer), inner = add(*weight.inner);
  if (is_transposed) return {std::move(inner), std::move(outer)};
  return {std::move(outer), std::move(inner)};
}

void add_widening(OnnxNodes& nodes, const TensorInfo& info, DType narrow,
                  std::span<const std::byte> values, const std::string& name) {
  nodes.cast(nodes.constant(narrow, integers(info.shape), values), info.dtype);
  nodes.name_last(name);
}

}  // namespace pqw
