// The cycles of the kernels' inner loops, beside those in the kernels' tables by which PqProduct
// chooses a method (src/codecs/pq/product/cost_model.cpp).
//
// Operands are as large as those that the products hand to a kernel at a time, and stay in the
// caches. A run counts the fastest of many: others share the processor.
#include <fmt/format.h>

#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "codecs/product/scratch.h"
#include "kernels/table.h"
#include "timing/clock.h"

namespace pqw::bench {
namespace {

using namespace kernels;

constexpr std::size_t kBlockSize = 8;
constexpr std::size_t kPairs = kBlockSize / 2;

// n values below `limit`.
template <class T>
struct Values : Scratch<T> {
  explicit Values(std::size_t n, std::uint32_t limit = 1) : Scratch<T>(n) {
    std::mt19937 random(1);
    for (std::size_t i = 0; i < n; ++i) (*this)[i] = static_cast<T>(random() % limit);
  }
};

double least_seconds_of(const std::function<void()>& f) {
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < 2000; ++run) best = std::min(best, timing::seconds_of(f));
  return best;
}

// A multiplication waits 3 cycles for the one before, on all processors of the last years.
double cycles_per_second() {
  constexpr int kSteps = 1 << 16;
  volatile std::uint64_t factor = 3, result = 0;
  return 3 * kSteps / least_seconds_of([&] {
           std::uint64_t product = 1;
           const std::uint64_t by = factor;
           for (int i = 0; i < kSteps; ++i) product *= by;
           result = product;
         });
}

// `n`: steps of f in the unit of the table.
void report(const std::string& name, std::size_t n, float in_table,
            const std::function<void()>& f) {
  static const double frequency = cycles_per_second();
  fmt::print("{:<52}{:>10.2f}{:>10.2f}\n", name,
             least_seconds_of(f) * frequency / static_cast<double>(n), in_table);
}

void lookup(const std::string& name, const LookupKernel& kernel, std::size_t n_centroids) {
  const std::size_t per_byte = n_centroids == kWideCentroids ? 1 : 2;
  const std::size_t n_positions = kScaleQuads * kQuadBytes * per_byte;
  const Values<std::int16_t> x(n_positions * kBlockSize, 1000),
      codebook(n_centroids * kBlockSize, 1000);
  const std::vector<const std::int16_t*> centroids(n_positions, codebook.data());
  const Values<std::uint16_t> words(n_positions * n_centroids);
  const Values<std::uint8_t> tables(kScaleQuads * kernel.quad_table_bytes);
  const TableInput input{x.data(), centroids.data(), n_positions, kPairs};
  report(name + " build, an entry", n_positions * n_centroids, kernel.cycles.build_per_entry,
         [&] { kernel.build(input, words.data(), tables.data()); });
  const Values<std::uint8_t> codes(kScaleQuads * kSweepTiles * kTileBytes, 256);
  const Values<std::uint8_t> scratch(kSweepTiles * kScratchBytes);
  const Values<float> sums(kSweepTiles * kTileRows);
  report(name + " sweep, a byte of a tile", kScaleQuads * kSweepTiles * kQuadBytes,
         kernel.cycles.sweep_per_tile_byte, [&] {
           kernel.sweep(codes.data(), kSweepTiles * kTileBytes, kScaleQuads, kSweepTiles,
                        tables.data(), 1.0f, scratch.data(), sums.data());
         });
}

void batch_lookup(const std::string& name, const BatchLookupKernel& kernel) {
  const std::size_t table_words = kWideCentroids * kernel.rows;
  const Values<std::int16_t> x(kBlockSize * kernel.rows, 1000),
      codebook(kWideCentroids * kBlockSize, 1000);
  const Values<std::uint16_t> tables(kQuadBytes * table_words), sums(kTileRows * kernel.rows);
  const Values<std::uint8_t> codes(kTileBytes, 256);
  const Values<float> scales(kernel.rows), totals(kTileRows * kernel.rows);
  report(name + " build, a vector of a pair",
         kWideCentroids * kPairs * kernel.rows / kernel.vector_words,
         kernel.cycles.build_per_vector_pair,
         [&] { kernel.build(x.data(), codebook.data(), kPairs, kWideCentroids, tables.data()); });
  report(name + " sweep, a code", kQuadBytes * kTileRows, kernel.cycles.sweep_per_code,
         [&] { kernel.sweep(codes.data(), tables.data(), sums.data()); });
  report(name + " flush, a row", kTileRows, kernel.cycles.flush_per_row,
         [&] { kernel.flush(sums.data(), scales.data(), totals.data()); });
}

void product(const ProductKernels& kernels) {
  constexpr std::size_t kTableFloats = std::size_t{1} << 14;  // swept at a time
  constexpr std::size_t kColumns = 512;
  const std::size_t lanes = kernels.lanes, vectors = kernels.most_vectors;
  const Values<float> x(kColumns * vectors * lanes, 3), codebook(kWideCentroids * kBlockSize, 3);
  const Values<float> tables(kTableFloats), sums(kTileRows * vectors * lanes);
  const Values<std::uint16_t> codes(kTileRows * kColumns, kWideCentroids);
  const auto build = [&] {
    kernels.build(x.data(), kBlockSize, codebook.data(), kBlockSize, kWideCentroids, tables.data());
  };
  report("product build, a vector", kWideCentroids * kBlockSize, kernels.cycles.build_per_vector,
         build);
  const auto sweep = [&](const char* name, auto kernel, std::size_t width, float in_table) {
    const std::size_t table = kWideCentroids * width, n = kTableFloats / table;
    report(name, n * kTileRows, in_table,
           [&] { kernel(codes.data(), n, tables.data(), table, sums.data()); });
  };
  sweep("product sweep, a code", kernels.sweep, lanes, kernels.cycles.sweep_per_code);
  sweep("product sweep_row, a code", kernels.sweep_row, 1, kernels.cycles.sweep_row_per_code);
  const std::vector<const float*> centroids(kColumns / kBlockSize, codebook.data());
  const auto decoded = [&](const char* name, auto kernel, float in_table) {
    report(name, kTileRows * kColumns * vectors, in_table, [&] {
      kernel(codes.data(), kColumns, centroids.data(), kBlockSize, x.data(), vectors, sums.data());
    });
  };
  decoded("product multiply_decoded, a vector", kernels.multiply_decoded,
          kernels.cycles.decoded_per_vector);
  if (kernels.multiply_decoded_bfloat16 != nullptr) {
    decoded("product multiply_decoded_bfloat16, a vector of pairs",
            kernels.multiply_decoded_bfloat16, kernels.cycles.bfloat16_per_vector);
  }
}

void int8(const Int8Kernels& kernels) {
  constexpr std::size_t kRows = 48, kColumns = 512, kLines = kTileRows * kColumns / 64;
  const Values<std::uint8_t> x(kRows * kColumns, 256), codes(kTileRows * kColumns, kWideCentroids);
  const Values<std::int8_t> bytes(kWideCentroids * kBlockSize, 128), panels(kTileRows * kColumns);
  const Values<std::int32_t> sums(kRows * kTileRows);
  report("int8 multiply, a line", kRows * kLines, kernels.cycles.multiply_per_line, [&] {
    kernels.multiply({x.data(), kRows, kColumns, panels.data(), kTileRows / kPanelRows,
                      kColumns * kPanelRows, kColumns},
                     sums.data());
  });
  const std::vector<const std::int8_t*> centroids(kColumns / kBlockSize, bytes.data());
  report("int8 decode, a line", kLines, kernels.cycles.decode_per_line, [&] {
    kernels.decode({codes.data(), kColumns, kBlockSize, centroids.data(), centroids.data(), false},
                   panels.data(), kColumns * kPanelRows);
  });
}

}  // namespace
}  // namespace pqw::bench

int main() {
  using namespace pqw;
  for (const kernels::Table& table : kernels::available()) {
    fmt::print("{:<52}{:>10}{:>10}\n", table.name, "measured", "in table");
    const kernels::LookupKernels& lookup = *table.lookup;
    bench::lookup("wide_high", lookup.wide_high, kernels::kWideCentroids);
    bench::lookup("wide_fast", lookup.wide_fast, kernels::kWideCentroids);
    bench::lookup("narrow_high", lookup.narrow_high, kernels::kNarrowCentroids);
    bench::lookup("narrow_fast", lookup.narrow_fast, kernels::kNarrowCentroids);
    bench::batch_lookup("few_fast", lookup.few_fast);
    bench::batch_lookup("many_fast", lookup.many_fast);
    bench::product(*table.product);
    bench::int8(table.int8);
  }
  return 0;
}
