// Chooses the contexts of a weight.
#include "codecs/tcq/value/model.h"

#include <algorithm>
#include <bit>

#include "codecs/tcq/value/trellis.h"
#include "core/parallel.h"

namespace pqw::tcq {
namespace {

constexpr double kCountCost = 8;             // of counting a token, in multiply-adds
constexpr std::uint64_t kFewestTokens = 96;  // that pay for tables of their own

std::size_t groups_of(std::size_t rows) { return (rows + kLanes - 1) / kLanes; }

std::vector<std::uint64_t> energies_of(const Values& values) {
  std::vector<std::uint64_t> energies(values.shape.rows);
  Workers(values.values.size(), 1).for_each(values.shape.rows, [&](std::size_t r) {
    const std::int16_t* row = values.row(r);
    std::uint64_t sum = 0;
    for (std::size_t c = 0; c < values.shape.cols; ++c) {
      sum += static_cast<std::uint32_t>(std::int32_t{row[c]} * row[c]);
    }
    energies[r] = sum;
  });
  return energies;
}

std::vector<std::int8_t> columns_of(const Values& values, const Contexts& contexts,
                                    std::span<const std::uint8_t> drops) {
  const auto [rows, cols] = values.shape;
  std::vector<std::int8_t> columns;
  columns.reserve(groups_of(rows) * cols);
  ColumnClasses classes(cols);
  for (std::size_t first = 0; first < rows; first += kLanes) {
    columns.insert(columns.end(), classes.classes().begin(), classes.classes().end());
    for (std::size_t r = first; r < std::min(rows, first + kLanes); ++r) {
      classes.add_row(values.row(r),
                      contexts.level_of_row(drops.empty() ? std::uint8_t{0} : drops[r]));
    }
    classes.end_group();
  }
  return columns;
}

void add_counts(const Values& values, const Model& model, std::size_t chain, Counts& counts) {
  const auto [rows, cols] = values.shape;
  const std::size_t n_groups = groups_per_chain(cols);
  Contexts contexts = model.contexts;
  std::array<unsigned, kLanes> states = {};
  for (std::size_t g = chain * n_groups; g < std::min(groups_of(rows), (chain + 1) * n_groups);
       ++g) {
    const std::int8_t* columns = model.columns.empty() ? nullptr : model.columns.data() + g * cols;
    for (std::size_t r = g * kLanes; r < std::min(rows, (g + 1) * kLanes); ++r) {
      const int level =
          contexts.level_of_row(model.drops.empty() ? std::uint8_t{0} : model.drops[r]);
      const std::int16_t* row = values.row(r);
      unsigned state = states[r % kLanes];
      for (std::size_t c = 0; c < cols; ++c) {
        const auto magnitude = static_cast<unsigned>(row[c] < 0 ? -row[c] : row[c]);
        const unsigned index = index_of(magnitude, state % 2);
        const int k = contexts.class_of(level, columns == nullptr ? 0 : columns[c]);
        ++counts[static_cast<std::size_t>(k)][state % 2][token_of(index)];
        state = next_state(state, index % 2);
      }
      states[r % kLanes] = state;
    }
  }
}

void count(const Values& values, Model& model) {
  const std::size_t n_chains =
      (groups_of(values.shape.rows) + groups_per_chain(values.shape.cols) - 1) /
      groups_per_chain(values.shape.cols);
  model.counts =
      Workers(values.values.size(), kCountCost)
          .reduce_in_order(
              Division::by_count(n_chains, std::min<std::size_t>(n_chains, 16)), Counts(kClasses),
              [&](const IndexRange& range, std::size_t, Counts& counts) {
                for (std::size_t i = range.begin; i < range.end; ++i) {
                  add_counts(values, model, i, counts);
                }
              },
              [](Counts& sum, const Counts& part) {
                for (std::size_t k = 0; k < sum.size(); ++k) {
                  for (std::size_t q = 0; q < 2; ++q) {
                    for (std::size_t t = 0; t < kTokens; ++t) sum[k][q][t] += part[k][q][t];
                  }
                }
              });
  if (model.counts.empty()) model.counts = Counts(kClasses);
}

std::uint64_t total_of(const std::array<std::array<std::uint64_t, kTokens>, 2>& tables) {
  std::uint64_t total = 0;
  for (const auto& table : tables) {
    for (const std::uint64_t n : table) total += n;
  }
  return total;
}

// Merges the outer classes that have few tokens.
void clamp_classes(Model& model) {
  Contexts& contexts = model.contexts;
  Counts& counts = model.counts;
  const auto merge = [&](int from, int to) {
    for (std::size_t q = 0; q < 2; ++q) {
      for (std::size_t t = 0; t < kTokens; ++t) {
        std::uint64_t& n = counts[static_cast<std::size_t>(from)][q][t];
        counts[static_cast<std::size_t>(to)][q][t] += n;
        n = 0;
      }
    }
  };
  while (contexts.lowest < contexts.highest &&
         total_of(counts[static_cast<std::size_t>(contexts.lowest)]) < kFewestTokens) {
    merge(contexts.lowest, contexts.lowest + 1);
    ++contexts.lowest;
  }
  while (contexts.lowest < contexts.highest &&
         total_of(counts[static_cast<std::size_t>(contexts.highest)]) < kFewestTokens) {
    merge(contexts.highest, contexts.highest - 1);
    --contexts.highest;
  }
}

// Of the tokens and what stands beside them, with frequencies of about 5 bits.
double bits_of(const Model& model) {
  double bits = 8.0 * 5;
  for (const auto& tables : model.counts) {
    for (const auto& table : tables) {
      std::uint64_t total = 0;
      for (const std::uint64_t n : table) total += n;
      if (total == 0) continue;
      bits += 6 + 4;
      const std::vector<float> lengths = code_lengths(normalised(table));
      for (unsigned t = 0; t < kTokens; ++t) {
        if (table[t] == 0) continue;
        const unsigned raw = (t > 0 ? 1 : 0) + (t < kDirect ? 0 : raw_bits(t));
        bits += 5 + static_cast<double>(table[t]) * (double{lengths[t]} + raw);
      }
    }
  }
  if (model.drops.empty()) return bits;
  std::array<std::uint64_t, 64> drops = {};
  for (const std::uint8_t drop : model.drops) ++drops[drop];
  const Frequencies frequencies = normalised(drops);
  return bits + coded_bits(drops, frequencies) + 64;
}

Model model_of(const Values& values, Contexts contexts, std::vector<std::uint8_t> drops) {
  Model model{contexts, std::move(drops), {}, {}};
  model.contexts.lowest = 0;
  model.contexts.highest = kClasses - 1;
  if (contexts.by_column) model.columns = columns_of(values, contexts, model.drops);
  count(values, model);
  clamp_classes(model);
  model.bits = bits_of(model);
  return model;
}

}  // namespace

Model choose_model(const Values& values) {
  const std::vector<std::uint64_t> energies = energies_of(values);
  std::uint64_t sum = 0;
  int highest = kLowestLevel;
  std::vector<int> levels;
  for (const std::uint64_t energy : energies) {
    sum += energy;
    levels.push_back(level_of(energy, values.shape.cols));
    highest = std::max(highest, levels.back());
  }
  const int average = level_of(sum, values.values.size());
  const bool has_steps = !values.fineness.empty();
  const std::vector<std::uint8_t> steps(values.fineness.begin(), values.fineness.end());
  const RowDrops drops = has_steps ? RowDrops::kStep : RowDrops::kNone;
  Model best = model_of(values, {drops, false, average}, steps);
  const auto consider = [&](Model other) {
    if (other.bits < best.bits) best = std::move(other);
  };
  consider(model_of(values, {drops, true, average}, steps));
  if (has_steps) return best;
  std::vector<std::uint8_t> by_row;
  for (const int level : levels) by_row.push_back(static_cast<std::uint8_t>(highest - level));
  consider(model_of(values, {RowDrops::kLevel, false, highest}, by_row));
  consider(model_of(values, {RowDrops::kLevel, true, highest}, by_row));
  return best;
}

}  // namespace pqw::tcq
