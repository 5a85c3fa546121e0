// Codes with feedback, in panels of columns whose updates are products of matrices.
#include "codecs/pq/train/feedback.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "codecs/pq/train/assign.h"
#include "codecs/train/blas.h"
#include "codecs/train/input_metric.h"
#include "codecs/train/linear_algebra.h"
#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kPanelColumns = 128;
constexpr std::size_t kRowsPerChunk = 256;

// c = a t. Layout: a and c are [n][d], t is [d][d] lower triangular, its rows `stride` apart.
void times_triangle(std::span<const float> a, std::size_t d, const float* t, std::size_t stride,
                    std::span<float> c) {
  std::fill(c.begin(), c.end(), 0.0f);
  for (std::size_t i = 0; i < a.size(); i += d) {
    for (std::size_t k = 0; k < d; ++k) {
      for (std::size_t j = 0; j <= k; ++j) c[i + j] += a[i + k] * t[k * stride + j];
    }
  }
}

}  // namespace

// Some rows of a set, all of one group.
struct Feedback::Chunk {
  const Blocks& blocks;
  std::span<const std::size_t> rows;
  std::span<const float> biases;
  std::span<const std::uint32_t> groups;  // of all positions
};

Feedback::Feedback(const InputStatistics& inputs, MatrixShape weight, std::size_t block_size,
                   double damping)
    : d_(block_size),
      rows_per_group_(weight.rows / inputs.n_groups(weight.cols)),
      parts_(inputs.n_groups(weight.cols)) {
  const std::size_t cols = weight.cols, n_positions = (cols + d_ - 1) / d_;
  const std::vector<float> energies = column_energies(inputs, cols, damping);
  for (std::size_t group = 0; group < parts_.size(); ++group) {
    const auto energy = [&](std::size_t p) {
      const float* of_group = &energies[group * cols];
      return std::accumulate(of_group + p * d_, of_group + std::min(cols, (p + 1) * d_), 0.0);
    };
    // A position belongs to the block of its first column.
    for (std::size_t p = 0; p < n_positions;) {
      Part part;
      const std::size_t block = p * d_ / inputs.gram_block;
      for (; p < n_positions && p * d_ / inputs.gram_block == block; ++p) {
        part.positions.push_back(p);
      }
      std::ranges::stable_sort(part.positions, {}, energy);
      std::vector<std::size_t> columns;
      for (const std::size_t position : part.positions) {
        for (std::size_t j = 0; j < d_; ++j) columns.push_back(position * d_ + j);
      }
      part.lower = cholesky_factor(inputs, cols, group, columns, damping);
      parts_[group].push_back(std::move(part));
    }
  }
}

void Feedback::assign_chunk(const Part& part, const Chunk& chunk, PqWeight& weight) const {
  const std::size_t d = d_, m = chunk.rows.size(), n = part.positions.size() * d;
  const std::size_t n_rows = weight.rows(), book_floats = weight.n_centroids * d;
  const std::size_t per_panel = std::max<std::size_t>(1, kPanelColumns / d);
  std::vector<float> errors(m * n), panel(m * per_panel * d), blocks(m * d), targets(m * d);
  std::vector<float> centroids(book_floats);
  std::vector<std::uint16_t> codes(m);
  for (std::size_t end = part.positions.size(); end > 0;) {
    const std::size_t begin = end - std::min(end, per_panel), width = (end - begin) * d;
    std::ranges::fill(panel, 0.0f);
    linear_algebra::add_product(m, width, n - end * d, &errors[end * d], n,
                                part.lower.data() + end * d * n + begin * d, n, panel.data(),
                                width);
    for (std::size_t b = end; b-- > begin;) {
      const std::size_t position = part.positions[b];
      const float* diagonal = &part.lower[b * d * n + b * d];
      for (std::size_t i = 0; i < m; ++i) {
        std::copy_n(&chunk.blocks.values[(position * n_rows + chunk.rows[i]) * d], d,
                    &blocks[i * d]);
      }
      times_triangle(blocks, d, diagonal, n, targets);
      for (std::size_t i = 0; i < m; ++i) {
        const float* fed_back = &panel[i * width + (b - begin) * d];
        for (std::size_t j = 0; j < d; ++j) targets[i * d + j] += fed_back[j];
      }
      const auto codebook =
          std::span(weight.codebooks).subspan(chunk.groups[position] * book_floats, book_floats);
      times_triangle(codebook, d, diagonal, n, centroids);
      pqw::assign({targets, d}, centroids, codes, {}, chunk.biases);
      for (std::size_t i = 0; i < m; ++i) {
        weight.codes[position * n_rows + chunk.rows[i]] = codes[i];
        for (std::size_t j = 0; j < d; ++j) {
          errors[i * n + b * d + j] = blocks[i * d + j] - codebook[codes[i] * d + j];
        }
      }
      linear_algebra::add_product(m, (b - begin) * d, d, &errors[b * d], n,
                                  &part.lower[b * d * n + begin * d], n, panel.data(), width);
    }
    end = begin;
  }
}

void Feedback::assign(const Blocks& blocks, std::span<const BiasedRows> sets,
                      PqWeight& weight) const {
  assert(weight.n_additive == 1 && blocks.block_size == d_);
  const std::vector<std::uint32_t> groups = group_of_positions(weight);
  const std::size_t length = std::max(kRowsPerChunk, weight.n_centroids);
  std::vector<Chunk> chunks;
  for (const BiasedRows& set : sets) {
    for (std::size_t first = 0, end = 0; first < set.rows.size(); first = end) {
      const std::size_t group = set.rows[first] / rows_per_group_;
      const std::size_t most = std::min(set.rows.size(), first + length);
      while (end < most && set.rows[end] / rows_per_group_ == group) ++end;
      chunks.push_back(
          {blocks, std::span(set.rows).subspan(first, end - first), set.biases, groups});
    }
  }
  linear_algebra::blas();
  const Workers workers(blocks.values.size(), 2 * static_cast<double>(weight.cols()));
  workers.for_ranges(Division::by_length(chunks.size(), 1),
                     [&](const IndexRange& range, std::size_t) {
                       const Chunk& chunk = chunks[range.begin];
                       for (const Part& part : parts_[chunk.rows[0] / rows_per_group_]) {
                         assign_chunk(part, chunk, weight);
                       }
                     });
}

}  // namespace pqw
