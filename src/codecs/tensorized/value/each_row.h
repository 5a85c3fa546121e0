// Rows of a tensorized matrix, built by several threads.
#pragma once

#include <cstddef>
#include <optional>

#include "codecs/tensorized/value/row_builder.h"
#include "core/region_errors.h"

namespace pqw::tensorized {

// Calls use(i, row) with row first+i, as long as its padded columns, for every i < n.
template <class Use>
void for_each_row(const Factors& factors, std::size_t first, std::size_t n, std::size_t n_columns,
                  const Use& use) {
  constexpr std::size_t kParallelWork = 1 << 14;  // weights that pay for threads
  RegionErrors errors;
#pragma omp parallel if (n * n_columns >= kParallelWork)
  {
    std::optional<SafeRowBuilder> builder;
    errors.run([&] { builder.emplace(factors); });
    // Neighbouring rows to the same thread: they share digits.
#pragma omp for schedule(static)
    for (std::size_t i = 0; i < n; ++i) {
      errors.run([&] {
        if (builder) use(i, builder->build(first + i));
      });
    }
  }
  errors.rethrow();
}

}  // namespace pqw::tensorized
