// Entropy coding: symbols encoded and decoded per second, on one thread.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <vector>

#include "codecs/entropy/rans.h"
#include "timing/clock.h"

namespace {

using namespace pqw;

// Symbols whose probabilities are log-normal, as those of the codes of pq are about.
struct Case {
  std::size_t n_symbols;
  std::size_t n_tables;  // equal ones; symbol i takes table i % n_tables
  std::vector<std::uint16_t> symbols;
  std::vector<std::uint64_t> counts;
};

Case make_case(std::size_t n_symbols, std::size_t n_tables, std::size_t count) {
  constexpr double kSpread = 0.7;
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  std::vector<double> odds(n_symbols);
  for (double& value : odds) value = std::exp(kSpread * normal(random));
  std::discrete_distribution<int> draw(odds.begin(), odds.end());
  Case result{n_symbols, n_tables, std::vector<std::uint16_t>(count),
              std::vector<std::uint64_t>(n_symbols)};
  for (std::uint16_t& symbol : result.symbols) {
    symbol = static_cast<std::uint16_t>(draw(random));
    ++result.counts[symbol];
  }
  return result;
}

double entropy_bits(const Case& c) {
  double bits = 0;
  for (const std::uint64_t count : c.counts) {
    const auto n = static_cast<double>(count);
    if (count > 0) bits += n * std::log2(static_cast<double>(c.symbols.size()) / n);
  }
  return bits;
}

std::vector<std::byte> encoded(const Case& c, std::span<const RansTable> tables) {
  RansEncoder encoder(c.symbols.size());
  while (encoder.symbols_left() > 0) {
    const std::size_t i = encoder.symbols_left() - 1;
    encoder.put(tables[i % c.n_tables], c.symbols[i]);
  }
  return std::move(encoder).finish();
}

const char* decode(std::span<const std::byte> stream, std::span<const RansTable> tables,
                   std::span<std::uint16_t> symbols) {
  RansDecoder decoder(stream);
  const std::size_t n = tables.size();
  if (n == 1) {
    decoder.get_all(tables[0], symbols);
  } else {
    decoder.get_by([&](std::size_t i) -> const RansTable& { return tables[i % n]; }, symbols);
  }
  return decoder.fault();
}

struct Rates {
  double encoded, decoded;  // symbols per second: the fastest of the repeats
  double excess;            // of the stream and its frequencies over the entropy
};

Rates measure(const Case& c, int repeats) {
  BitWriter bits;
  const Frequencies frequencies = write_frequencies(bits, c.counts);
  const std::vector<RansTable> tables(c.n_tables, RansTable(frequencies));
  const std::vector<std::byte> stream = encoded(c, tables);
  std::vector<std::uint16_t> symbols(c.symbols.size());
  if (decode(stream, tables, symbols) != nullptr || symbols != c.symbols) {
    throw std::runtime_error("the decoded symbols are not the encoded ones");
  }
  double encoding = 1e300, decoding = 1e300;
  for (int i = 0; i < repeats; ++i) {
    encoding = std::min(encoding, timing::seconds_of([&] { (void)encoded(c, tables); }));
    decoding =
        std::min(decoding, timing::seconds_of([&] { (void)decode(stream, tables, symbols); }));
  }
  const auto n = static_cast<double>(c.symbols.size());
  const double n_bits = 8 * static_cast<double>(stream.size()) + static_cast<double>(bits.n_bits());
  return {n / encoding, n / decoding, n_bits / entropy_bits(c) - 1};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Entropy coding by rANS, on one thread.");
  std::vector<std::size_t> alphabets = {16, 256, 1024, 4096};
  std::size_t count = 1 << 21;
  int repeats = 10;
  bool json = false;
  app.add_option("--alphabets", alphabets, "numbers of symbols, 2 to 65536")->delimiter(',');
  app.add_option("--count", count, "symbols in a stream (default 2097152)");
  app.add_option("--repeats", repeats, "runs of which the fastest counts (default 10)");
  app.add_flag("--json", json, "print JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    if (!json) {
      fmt::print("{:>9}{:>8}{:>15}{:>15}{:>10}\n", "alphabet", "tables", "encode M/s", "decode M/s",
                 "excess");
    }
    for (const std::size_t n_symbols : alphabets) {
      for (const std::size_t n_tables : {1, 4}) {
        const Rates rates = measure(make_case(n_symbols, n_tables, count), repeats);
        rows.push_back({{"alphabet", n_symbols},
                        {"tables", n_tables},
                        {"encoded_per_second", rates.encoded},
                        {"decoded_per_second", rates.decoded},
                        {"excess", rates.excess}});
        if (json) continue;
        fmt::print("{:>9}{:>8}{:>15.1f}{:>15.1f}{:>10.5f}\n", n_symbols, n_tables,
                   rates.encoded / 1e6, rates.decoded / 1e6, rates.excess);
      }
    }
    if (json) fmt::print("{}\n", rows.dump(2));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
