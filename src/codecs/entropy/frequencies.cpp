// The frequencies of symbols: from counts, to lengths, to and from bits.
#include "codecs/entropy/frequencies.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>
#include <numeric>
#include <queue>
#include <utility>

namespace pqw {
namespace {

// A symbol is stored as a level and a mantissa: level 0 does not occur, level 1 has the weight 0,
// level 2 + e has a weight in 2^e .. 2^(e+1) - 1.
constexpr unsigned kMostLevel = 2 + 16;
constexpr unsigned kPrecisionBits = 4;
constexpr unsigned kMostUsefulPrecision = 10;  // of mantissas, in bits: rounds by less than 0.05 %

unsigned level_of(std::uint32_t weight) {
  return 1 + static_cast<unsigned>(std::bit_width(weight));
}

unsigned mantissa_bits(unsigned level, unsigned precision) {
  return level < 2 ? 0 : std::min(level - 2, precision);
}

// The nearest weight whose mantissa has no more than `precision` bits.
std::uint32_t rounded(std::uint32_t weight, unsigned precision) {
  const auto width = static_cast<unsigned>(std::bit_width(weight));
  if (width <= precision + 1) return weight;
  const unsigned n_dropped = width - 1 - precision;
  return (weight + (1u << n_dropped >> 1)) >> n_dropped << n_dropped;
}

// Each symbol that occurs (level > 0) gets 1. The rest is shared in proportion to the weights, so
// that the first i symbols together get their share, rounded down. If all weights are 0, each
// counts as 1.
Frequencies shared_out(std::span<const std::uint8_t> occurs,
                       std::span<const std::uint32_t> weights) {
  const std::uint64_t sum = std::uint64_t{1} << frequency_bits(occurs.size());
  std::uint64_t n_used = 0;
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < occurs.size(); ++i) {
    n_used += occurs[i];
    total += weights[i];
  }
  Frequencies frequencies(occurs.size());
  const bool equal = total == 0;
  if (equal) total = std::max<std::uint64_t>(n_used, 1);
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < occurs.size(); ++i) {
    if (occurs[i] == 0) continue;
    const std::uint64_t after = before + (equal ? 1 : weights[i]);
    const std::uint64_t share = after * (sum - n_used) / total - before * (sum - n_used) / total;
    frequencies[i] = static_cast<std::uint32_t>(1 + share);
    before = after;
  }
  return frequencies;
}

unsigned zigzag(int difference) {
  return static_cast<unsigned>(difference > 0 ? 2 * difference - 1 : -2 * difference);
}

// The level of a symbol if all are equally frequent. The first level is stored as a difference from
// it.
unsigned even_level(std::size_t n_symbols) {
  return 2 + frequency_bits(n_symbols) - static_cast<unsigned>(std::bit_width(n_symbols - 1));
}

// Calls put(unary, mantissa, n_bits) for each symbol: `unary` says how its level differs from the
// level before, and the mantissa has n_bits bits.
template <class Put>
void for_each_field(std::span<const std::uint8_t> occurs, std::span<const std::uint32_t> weights,
                    unsigned precision, Put put) {
  unsigned last = even_level(occurs.size());
  for (std::size_t i = 0; i < occurs.size(); ++i) {
    const unsigned level = occurs[i] == 0 ? 0 : level_of(weights[i]);
    const unsigned n_bits = mantissa_bits(level, precision);
    const std::uint32_t mantissa =
        level < 2 ? 0 : (weights[i] - (1u << (level - 2))) >> (level - 2 - n_bits);
    put(zigzag(static_cast<int>(level) - static_cast<int>(last)), mantissa, n_bits);
    last = level;
  }
}

// log2 of 1..65536 in units of 2^-16, rounded down, by squaring.
std::uint32_t log2_fixed(std::uint32_t value) {
  const auto whole = static_cast<unsigned>(std::bit_width(value)) - 1;
  std::uint64_t mantissa = std::uint64_t{value} << (31 - whole);
  std::uint32_t result = whole;
  for (int i = 0; i < 16; ++i) {
    mantissa = mantissa * mantissa >> 31;
    const bool is_two = mantissa >> 32 != 0;
    mantissa >>= is_two ? 1 : 0;
    result = result << 1 | (is_two ? 1u : 0u);
  }
  return result;
}

std::uint64_t fixed_bits(std::span<const std::uint64_t> counts,
                         std::span<const std::uint32_t> frequencies) {
  assert(counts.size() == frequencies.size());
  const std::uint32_t most = frequency_bits(counts.size()) << 16;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) bits += counts[i] * (most - log2_fixed(frequencies[i]));
  }
  return bits;
}

}  // namespace

unsigned frequency_bits(std::size_t n_symbols) { return n_symbols <= 256 ? 12 : 16; }

Frequencies normalised(std::span<const std::uint64_t> counts) {
  assert(!counts.empty() && counts.size() <= kMostSymbols);
  const std::uint64_t sum = std::uint64_t{1} << frequency_bits(counts.size());
  const auto total = std::reduce(counts.begin(), counts.end(), std::uint64_t{0});
  const auto n_used = static_cast<std::uint64_t>(
      std::count_if(counts.begin(), counts.end(), [](std::uint64_t count) { return count > 0; }));
  Frequencies frequencies(counts.size());
  if (total == 0) return frequencies;
  std::uint64_t left = sum;
  // One more slot saves count * log((f + 1) / f), which is close to count / (f + 1/2).
  using Saving = std::pair<double, std::size_t>;
  const auto less = [](const Saving& a, const Saving& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  };
  std::priority_queue<Saving, std::vector<Saving>, decltype(less)> savings(less);
  const auto push = [&](std::size_t i) {
    savings.emplace(static_cast<double>(counts[i]) / (frequencies[i] + 0.5), i);
  };
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const std::uint64_t share = counts[i] * (sum - n_used) / total;
    frequencies[i] = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, share));
    left -= frequencies[i];
    push(i);
  }
  for (; left > 0; --left) {
    const std::size_t best = savings.top().second;
    savings.pop();
    ++frequencies[best];
    push(best);
  }
  return frequencies;
}

std::vector<float> code_lengths(std::span<const std::uint32_t> frequencies) {
  const std::uint32_t most = frequency_bits(frequencies.size()) << 16;
  std::vector<float> lengths(frequencies.size(), std::numeric_limits<float>::infinity());
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    if (frequencies[i] == 0) continue;
    lengths[i] = static_cast<float>(most - log2_fixed(frequencies[i])) / 65536;
  }
  return lengths;
}

double coded_bits(std::span<const std::uint64_t> counts,
                  std::span<const std::uint32_t> frequencies) {
  return static_cast<double>(fixed_bits(counts, frequencies)) / 65536;
}

Frequencies write_frequencies(BitWriter& out, std::span<const std::uint64_t> counts) {
  const Frequencies exact = normalised(counts);
  std::vector<std::uint8_t> occurs(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) occurs[i] = counts[i] > 0 ? 1 : 0;
  std::vector<std::uint32_t> weights(counts.size());
  const auto round_to = [&](unsigned precision) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      weights[i] = occurs[i] == 0 ? 0 : rounded(exact[i] - 1, precision);
    }
    return shared_out(occurs, weights);
  };
  unsigned best = 0;
  std::uint64_t fewest = std::numeric_limits<std::uint64_t>::max();
  for (unsigned precision = 0; precision <= kMostUsefulPrecision; ++precision) {
    std::uint64_t bits = fixed_bits(counts, round_to(precision));
    for_each_field(occurs, weights, precision, [&](unsigned unary, std::uint32_t, unsigned n_bits) {
      bits += std::uint64_t{unary + 1 + n_bits} << 16;
    });
    if (bits >= fewest) continue;
    fewest = bits;
    best = precision;
  }
  Frequencies frequencies = round_to(best);
  out.put(best, kPrecisionBits);
  for_each_field(occurs, weights, best,
                 [&](unsigned unary, std::uint32_t mantissa, unsigned n_bits) {
                   out.put_unary(unary);
                   out.put(mantissa, n_bits);
                 });
  return frequencies;
}

Frequencies read_frequencies(BitReader& in, std::size_t n_symbols) {
  const unsigned precision = in.get(kPrecisionBits);
  std::vector<std::uint8_t> occurs(n_symbols);
  std::vector<std::uint32_t> weights(n_symbols);
  auto level = static_cast<int>(even_level(n_symbols));
  for (std::size_t i = 0; i < n_symbols && !in.failed(); ++i) {
    const auto unary = static_cast<int>(in.get_unary(2 * kMostLevel));
    level += unary % 2 == 1 ? (unary + 1) / 2 : -unary / 2;
    if (level < 0 || level > static_cast<int>(kMostLevel)) in.fail();
    if (level <= 0 || in.failed()) continue;
    occurs[i] = 1;
    if (level < 2) continue;
    const auto exponent = static_cast<unsigned>(level) - 2;
    const unsigned n_bits = mantissa_bits(static_cast<unsigned>(level), precision);
    weights[i] = (1u << exponent) + (in.get(n_bits) << (exponent - n_bits));
  }
  if (in.failed()) return {};
  return shared_out(occurs, weights);
}

}  // namespace pqw
