// Fuzz target: frequencies of symbols, then a stream of them.
// Layout: U16 number of symbols in the alphabet - 1, U16 length of the stream in symbols, U16 bytes
// of frequencies; the frequencies; the stream.
#include "codecs/entropy/rans.h"

#include <algorithm>
#include <numeric>

#include "tests/fuzz/target.h"

namespace {

using Symbols = std::vector<std::uint16_t>;

std::vector<std::byte> encoded(const pqw::RansTable& table, const Symbols& symbols) {
  pqw::RansEncoder encoder(symbols.size());
  while (encoder.symbols_left() > 0) encoder.put(table, symbols[encoder.symbols_left() - 1]);
  return std::move(encoder).finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint16_t header[3];
  if (size < sizeof header) return 0;
  std::memcpy(header, data, sizeof header);
  const auto rest = std::as_bytes(std::span(data, size)).subspan(sizeof header);
  const std::size_t n_symbols = header[0] + std::size_t{1};
  const std::size_t n_table_bytes = std::min<std::size_t>(header[2], rest.size());

  pqw::BitReader in(rest.first(n_table_bytes));
  const pqw::Frequencies frequencies = pqw::read_frequencies(in, n_symbols);
  if (in.failed()) return 0;
  const std::uint64_t sum = std::reduce(frequencies.begin(), frequencies.end(), std::uint64_t{0});
  pqw::fuzz::require(sum == 0 || sum == std::uint64_t{1} << pqw::frequency_bits(n_symbols));

  const pqw::RansTable table(frequencies);
  const auto stream = rest.subspan(n_table_bytes);
  Symbols symbols(header[1]);
  pqw::RansDecoder decoder(stream);
  decoder.get_all(table, symbols);
  pqw::RansDecoder one_by_one(stream);
  for (const std::uint16_t symbol : symbols) {
    pqw::fuzz::require(symbol < n_symbols && one_by_one.get(table) == symbol);
  }
  pqw::fuzz::require((one_by_one.fault() == nullptr) == (decoder.fault() == nullptr));
  if (decoder.fault() == nullptr && sum > 0) {  // what was accepted is what an encoder writes
    pqw::fuzz::require(std::ranges::equal(encoded(table, symbols), stream));
  }
  return 0;
}
