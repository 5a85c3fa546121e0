// Product-quantized weights: shape arithmetic and decoding.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "core/parallel.h"
#include "pqw/codecs/pq.h"

namespace pqw {

std::size_t first_position(std::size_t group, std::size_t n_groups, std::size_t n_positions) {
  return n_positions / n_groups * group + n_positions % n_groups * group / n_groups;
}

std::span<const std::uint16_t> PqWeight::codes_of(std::size_t position) const {
  return std::span(codes).subspan(position * rows(), rows());
}

std::vector<std::uint32_t> group_of_positions(const PqWeight& weight, std::size_t n_padded) {
  const std::size_t n_positions = weight.positions();
  std::vector<std::uint32_t> groups;
  for (std::size_t group = 0; group < weight.n_groups; ++group) {
    const std::size_t end = first_position(group + 1, weight.n_groups, n_positions);
    groups.resize(end, static_cast<std::uint32_t>(group));
  }
  groups.resize(std::max(n_positions, n_padded), static_cast<std::uint32_t>(weight.n_groups - 1));
  return groups;
}

std::string PqCodec::summary(const PqWeight& weight) {
  const std::string groups = weight.n_groups > 1 ? fmt::format(",groups={}", weight.n_groups) : "";
  const char* scales = weight.row_scales.empty()                  ? ""
                       : weight.row_scale_type == RowScales::kF16 ? ",row_scales=f16"
                                                                  : ",row_scales=log8";
  const std::string additive =
      weight.n_additive > 1 ? fmt::format(",additive={}", weight.n_additive) : "";
  return fmt::format("block_size={},centroids={}{}{}{}", weight.block_size, weight.n_centroids,
                     groups, additive, scales);
}

void PqCodec::decode_rows(const PqWeight& weight, std::size_t first, MutableMatrix out) {
  assert(first + out.rows() <= weight.rows() && out.cols() == weight.cols());
  const std::size_t d = weight.block_size;
  const std::size_t n_rows = weight.rows();
  const std::vector<std::uint32_t> groups = group_of_positions(weight);
  Workers(out.rows() * out.cols() * weight.n_additive, 4).for_each(out.rows(), [&](std::size_t r) {
    const std::uint16_t* code = weight.codes.data() + first + r;
    for (std::size_t book = 0; book < weight.n_additive; ++book) {
      float* to = out.row(r).data();
      for (std::size_t p = 0; p < groups.size(); ++p, code += n_rows, to += d) {
        const std::size_t codebook = book * weight.n_groups + groups[p];
        const float* centroid =
            weight.codebooks.data() + (codebook * weight.n_centroids + *code) * d;
        const std::size_t n = std::min(d, out.cols() - p * d);
        for (std::size_t j = 0; j < n; ++j) {
          to[j] = book == 0 ? centroid[j] : to[j] + centroid[j];
        }
      }
    }
    if (weight.row_scales.empty()) return;
    for (float& value : out.row(r)) value *= weight.row_scales[first + r];
  });
}

}  // namespace pqw
