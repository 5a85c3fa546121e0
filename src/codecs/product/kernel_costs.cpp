// Measures, writes and reads the cycles of the kernels.
//
// Operands are as large as those that the products hand to a kernel at a time, and stay in the
// caches. The fastest of a few runs counts: others share the processor.
#include "codecs/product/kernel_costs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <vector>

#include "codecs/active_kernels.h"
#include "codecs/product/scratch.h"
#include "core/subject.h"
#include "pqw/codecs/product.h"

namespace pqw {
namespace {

using namespace kernels;

constexpr std::size_t kBlockSize = 8;
constexpr std::size_t kPairs = kBlockSize / 2;

// n values below `limit`.
template <class T>
struct Values : Scratch<T> {
  explicit Values(std::size_t n, std::uint32_t limit = 1) : Scratch<T>(n) {
    std::uint32_t random = 1;
    for (std::size_t i = 0; i < n; ++i) {
      random = random * 1664525 + 1013904223;
      (*this)[i] = static_cast<T>((random >> 8) % limit);
    }
  }
};

// Names the costs of one kernel.
class Kernel {
 public:
  Kernel(const CostedKernels::Visitor& visit, std::string name)
      : visit_(visit), name_(std::move(name)) {}
  void operator()(const char* cost, float& cycles, std::size_t n_steps,
                  const std::function<void()>& run) const {
    visit_(name_ + "." + cost, cycles, n_steps, run);
  }

 private:
  const CostedKernels::Visitor& visit_;
  std::string name_;
};

void visit_lookup(const Kernel& visit, LookupKernel& kernel, std::size_t n_centroids) {
  const std::size_t per_byte = n_centroids == kWideCentroids ? 1 : 2;
  const std::size_t n_positions = kScaleQuads * kQuadBytes * per_byte;
  const Values<std::int16_t> x(n_positions * kBlockSize, 1000),
      codebook(n_centroids * kBlockSize, 1000);
  const std::vector<const std::int16_t*> centroids(n_positions, codebook.data());
  const Values<std::uint16_t> words(n_positions * n_centroids);
  const Values<std::uint8_t> tables(kScaleQuads * kernel.quad_table_bytes);
  const TableInput input{x.data(), centroids.data(), n_positions, kPairs};
  visit("build_per_entry", kernel.cycles.build_per_entry, n_positions * n_centroids,
        [&] { kernel.build(input, words.data(), tables.data()); });
  const Values<std::uint8_t> codes(kScaleQuads * kSweepTiles * kTileBytes, 256);
  const Values<std::uint8_t> scratch(kSweepTiles * kScratchBytes);
  const Values<float> sums(kSweepTiles * kTileRows);
  visit("sweep_per_tile_byte", kernel.cycles.sweep_per_tile_byte,
        kScaleQuads * kSweepTiles * kQuadBytes, [&] {
          kernel.sweep(codes.data(), kSweepTiles * kTileBytes, kScaleQuads, kSweepTiles,
                       tables.data(), 1.0f, scratch.data(), sums.data());
        });
}

// Tables of a group and sums of a few tiles, as in a product: they do not stay in the L1 cache.
void visit_batch_lookup(const Kernel& visit, BatchLookupKernel& kernel) {
  constexpr std::size_t kTiles = 8, kTables = kScaleQuads * kQuadBytes;
  const std::size_t table_words = kWideCentroids * kernel.rows;
  const std::size_t tile_sums = kTileRows * kernel.rows;
  const Values<std::int16_t> x(kBlockSize * kernel.rows, 1000),
      codebook(kWideCentroids * kBlockSize, 1000);
  const Values<std::uint16_t> tables(kTables * table_words), sums(kTiles * tile_sums);
  const Values<std::uint8_t> codes(kTiles * kTileBytes, 256);
  const Values<float> scales(kernel.rows), totals(kTiles * tile_sums);
  visit("build_per_vector_pair", kernel.cycles.build_per_vector_pair,
        kTables * kWideCentroids * kPairs * kernel.rows / kernel.vector_words, [&] {
          for (std::size_t i = 0; i < kTables; ++i) {
            kernel.build(x.data(), codebook.data(), kPairs, kWideCentroids,
                         tables.data() + i * table_words);
          }
        });
  visit("sweep_per_code", kernel.cycles.sweep_per_code, kTables * kTiles * kTileRows, [&] {
    for (std::size_t i = 0; i < kTables; i += kQuadBytes) {
      for (std::size_t tile = 0; tile < kTiles; ++tile) {
        kernel.sweep(codes.data() + tile * kTileBytes, tables.data() + i * table_words,
                     sums.data() + tile * tile_sums);
      }
    }
  });
  visit("flush_per_row", kernel.cycles.flush_per_row, kTiles * kTileRows, [&] {
    for (std::size_t tile = 0; tile < kTiles; ++tile) {
      kernel.flush(sums.data() + tile * tile_sums, scales.data(), totals.data() + tile * tile_sums);
    }
  });
}

void visit_float_lookup(const Kernel& visit, FloatLookupKernel& kernel) {
  const Values<float> tables(kScaleQuads * kQuadBytes * kWideCentroids, 3),
      sums(kSweepTiles * kTileRows);
  const Values<std::uint8_t> codes(kScaleQuads * kSweepTiles * kTileBytes, 256);
  if (kernel.arrange != nullptr) {
    visit("arrange_per_entry", kernel.cycles.arrange_per_entry,
          kScaleQuads * kQuadBytes * kWideCentroids, [&] {
            for (std::size_t i = 0; i < kScaleQuads * kQuadBytes; ++i) {
              kernel.arrange(tables.data() + i * kWideCentroids);
            }
          });
  }
  visit("sweep_per_tile_byte", kernel.cycles.sweep_per_tile_byte,
        kScaleQuads * kSweepTiles * kQuadBytes, [&] {
          kernel.sweep(codes.data(), kSweepTiles * kTileBytes, kScaleQuads, kSweepTiles,
                       tables.data(), sums.data());
        });
}

void visit_product(const Kernel& visit, ProductKernels& kernels) {
  constexpr std::size_t kTableFloats = std::size_t{1} << 14;  // swept at a time
  constexpr std::size_t kColumns = 512;
  const std::size_t lanes = kernels.lanes, vectors = kernels.most_vectors;
  const Values<float> x(kColumns * vectors * lanes, 3), codebook(kWideCentroids * kBlockSize, 3);
  const Values<float> tables(kTableFloats), sums(kTileRows * vectors * lanes);
  const Values<std::uint16_t> codes(kTileRows * kColumns, kWideCentroids);
  visit("build_per_vector", kernels.cycles.build_per_vector, kWideCentroids * kBlockSize, [&] {
    kernels.build(x.data(), kBlockSize, codebook.data(), kBlockSize, kWideCentroids, tables.data());
  });
  const auto sweep = [&](const char* name, float& cycles, auto kernel, std::size_t width) {
    const std::size_t table = kWideCentroids * width, n = kTableFloats / table;
    visit(name, cycles, n * kTileRows,
          [&] { kernel(codes.data(), n, tables.data(), table, sums.data()); });
  };
  sweep("sweep_per_code", kernels.cycles.sweep_per_code, kernels.sweep, lanes);
  sweep("sweep_row_per_code", kernels.cycles.sweep_row_per_code, kernels.sweep_row, 1);
  const std::vector<const float*> centroids(kColumns / kBlockSize, codebook.data());
  const auto decoded = [&](const char* name, float& cycles, auto kernel) {
    visit(name, cycles, kTileRows * kColumns * vectors, [&] {
      kernel(codes.data(), kTileRows, kColumns, centroids.data(), kBlockSize, x.data(), vectors,
             sums.data(), vectors * lanes, false);
    });
  };
  decoded("decoded_per_vector", kernels.cycles.decoded_per_vector, kernels.multiply_decoded);
  if (kernels.multiply_decoded_bfloat16 == nullptr) return;
  decoded("bfloat16_per_vector", kernels.cycles.bfloat16_per_vector,
          kernels.multiply_decoded_bfloat16);
}

void visit_int8(const Kernel& visit, Int8Kernels& kernels) {
  constexpr std::size_t kRows = 48, kColumns = 512;
  constexpr std::size_t kLines = kTileRows / kPanelRows * kColumns / kPanelColumns;
  const Values<std::uint8_t> x(kRows * kColumns, 256), codes(kTileRows * kColumns, kWideCentroids);
  const Values<std::int8_t> bytes(kWideCentroids * kBlockSize, 128), panels(kTileRows * kColumns);
  const Values<std::int32_t> sums(kRows * kTileRows);
  visit("multiply_per_line", kernels.cycles.multiply_per_line, kRows * kLines, [&] {
    kernels.multiply({x.data(), kRows, kColumns, panels.data(), kTileRows / kPanelRows,
                      kColumns * kPanelRows, kColumns},
                     sums.data());
  });
  const std::vector<const std::int8_t*> centroids(kColumns / kBlockSize, bytes.data());
  visit("decode_per_line", kernels.cycles.decode_per_line, kLines, [&] {
    kernels.decode({codes.data(), kColumns, kBlockSize, centroids.data(), centroids.data(), false},
                   panels.data(), kColumns * kPanelRows);
  });
}

double least_seconds_of(const std::function<void()>& run) {
  constexpr int kRuns = 7;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    least = std::min(least, time.count());
  }
  return least;
}

// A 64-bit multiplication takes 3 cycles on x86-64 of the last years. On other processors the
// frequency, and so all cycles, are off by one factor.
double cycles_per_second() {
  constexpr int kSteps = 1 << 15;
  volatile std::uint64_t factor = 3, result = 0;
  return 3 * kSteps / least_seconds_of([&] {
           std::uint64_t product = 1;
           const std::uint64_t by = factor;
           for (int i = 0; i < kSteps; ++i) product *= by;
           result = product;
         });
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) {
    throw Error(ErrorCode::kIo, fmt::format("PQW_COSTS={}: cannot read the file, or it is empty; "
                                            "expected builtin, measure or a file "
                                            "that `pqw bench --calibrate` printed",
                                            path));
  }
  return text.str();
}

class Costs {
 public:
  Costs() : kernels(active_kernels()) {
    const char* wanted = std::getenv("PQW_COSTS");
    const std::string_view source = wanted == nullptr || *wanted == '\0' ? "measure" : wanted;
    if (source == "measure") {
      kernels.measure();
    } else if (source != "builtin") {
      read_costs(content_of(std::string(source)), "PQW_COSTS=" + std::string(source), kernels);
    }
  }
  CostedKernels kernels;
};

}  // namespace

CostedKernels::CostedKernels(const Table& table)
    : lookup_(*table.lookup), product_(*table.product), table_(table) {
  table_.lookup = &lookup_;
  table_.product = &product_;
}

void CostedKernels::for_each(const Visitor& visit) {
  visit_lookup({visit, "wide_high"}, lookup_.wide_high, kWideCentroids);
  visit_lookup({visit, "wide_fast"}, lookup_.wide_fast, kWideCentroids);
  visit_lookup({visit, "narrow_high"}, lookup_.narrow_high, kNarrowCentroids);
  visit_lookup({visit, "narrow_fast"}, lookup_.narrow_fast, kNarrowCentroids);
  visit_batch_lookup({visit, "few_fast"}, lookup_.few_fast);
  visit_batch_lookup({visit, "many_fast"}, lookup_.many_fast);
  visit_float_lookup({visit, "wide_floats"}, lookup_.wide_floats);
  visit_float_lookup({visit, "narrow_floats"}, lookup_.narrow_floats);
  visit_product({visit, "product"}, product_);
  visit_int8({visit, "int8"}, table_.int8);
}

void CostedKernels::measure() {
  const double frequency = cycles_per_second();
  for_each([&](std::string_view, float& cycles, std::size_t n_steps,
               const std::function<void()>& run) {
    cycles = static_cast<float>(least_seconds_of(run) * frequency / static_cast<double>(n_steps));
  });
}

std::string to_text(CostedKernels& kernels) {
  std::string text = fmt::format("kernels {}\n", kernels.table().name);
  kernels.for_each(
      [&](std::string_view name, float& cycles, std::size_t, const std::function<void()>&) {
        text += fmt::format("{} {:.3f}\n", name, cycles);
      });
  return text;
}

void read_costs(std::string_view text, const std::string& source, CostedKernels& kernels) {
  std::istringstream lines{std::string(text)};
  std::map<std::string, float> costs;
  std::size_t number = 0;
  bool is_named = false;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string name, value, rest;
    words >> name >> value >> rest;
    if (name == "kernels") {
      is_named = value == kernels.table().name;
      if (is_named) continue;
      throw invalid_argument("{}: costs of the kernels {}, but this process uses {}", source, value,
                             kernels.table().name);
    }
    float cycles = 0;
    const char* end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, cycles);
    if (parsed.ec != std::errc() || parsed.ptr != end || !rest.empty() || !std::isfinite(cycles) ||
        cycles <= 0 || !costs.emplace(name, cycles).second) {
      throw invalid_argument(
          "{}: line {} is '{}', expected a cost and a positive number, each cost "
          "once",
          source, number, line);
    }
  }
  if (!is_named) throw invalid_argument("{}: no line 'kernels {}'", source, kernels.table().name);
  kernels.for_each(
      [&](std::string_view name, float& cycles, std::size_t, const std::function<void()>&) {
        const auto found = costs.find(std::string(name));
        if (found == costs.end())
          throw invalid_argument("{}: no line for the cost {}", source, name);
        cycles = found->second;
        costs.erase(found);
      });
  if (costs.empty()) return;
  throw invalid_argument("{}: unknown cost '{}'", source, costs.begin()->first);
}

const Table& costed_kernels() {
  static Costs instance;
  return instance.kernels.table();
}

std::string measured_kernel_costs() {
  CostedKernels measured(active_kernels());
  measured.measure();
  return to_text(measured);
}

}  // namespace pqw
