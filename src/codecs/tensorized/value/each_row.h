// Rows of a tensorized matrix, built by several threads.
#pragma once

#include <cstddef>

#include "codecs/tensorized/value/row_builder.h"
#include "core/parallel.h"

namespace pqw::tensorized {

// Calls use(i, row) with row first+i, as long as its padded columns, for every i < n.
template <class Use>
void for_each_row(const Factors& factors, std::size_t first, std::size_t n, std::size_t n_columns,
                  const Use& use) {
  const Workers workers(n * n_columns, 16);
  // A range for each worker: neighbouring rows share digits.
  const Division division = Division::by_count(n, workers.count());
  workers.for_ranges(division, [&](const IndexRange& range, std::size_t) {
    SafeRowBuilder builder(factors);
    for (std::size_t i = range.begin; i < range.end; ++i) use(i, builder.build(first + i));
  });
}

}  // namespace pqw::tensorized
