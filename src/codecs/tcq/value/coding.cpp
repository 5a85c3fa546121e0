// Integers of a weight to and from the bytes that an archive stores.
#include "codecs/tcq/value/coding.h"

#include <algorithm>
#include <cstring>

#include "codecs/entropy/rans.h"
#include "codecs/tcq/value/trellis.h"
#include "pqw/codecs/tcq.h"

namespace pqw::tcq {
namespace {

constexpr unsigned kKindBits = 2, kLevelBits = 6, kClassBits = 5, kSizeBits = 7;
constexpr std::size_t kMostDrops = 64;

// Layout: the size of the alphabet, then frequencies unless it is 0.
RansTable write_table(BitWriter& out, std::span<const std::uint64_t> counts) {
  std::size_t size = counts.size();
  while (size > 0 && counts[size - 1] == 0) --size;
  out.put(static_cast<std::uint32_t>(size), kSizeBits);
  if (size == 0) return RansTable(std::vector<std::uint32_t>(1));
  return RansTable(write_frequencies(out, counts.first(size)));
}

RansTable read_table(BitReader& in, std::size_t most) {
  const std::size_t size = in.get(kSizeBits);
  if (size > most) in.fail();
  if (size == 0 || in.failed()) return RansTable(std::vector<std::uint32_t>(1));
  const Frequencies frequencies = read_frequencies(in, size);
  return RansTable(in.failed() ? Frequencies(1) : frequencies);
}

struct Tables {
  std::vector<RansTable> drops;   // one or none
  std::vector<RansTable> tokens;  // [class - lowest][quantizer]
};

Tables write_model(BitWriter& out, const Model& model) {
  const Contexts& contexts = model.contexts;
  out.put(static_cast<std::uint32_t>(contexts.drops), kKindBits);
  out.put(contexts.by_column ? 1 : 0, 1);
  out.put(static_cast<std::uint32_t>(contexts.level - kLowestLevel), kLevelBits);
  out.put(static_cast<std::uint32_t>(contexts.lowest), kClassBits);
  out.put(static_cast<std::uint32_t>(contexts.highest), kClassBits);
  Tables tables;
  if (contexts.drops != RowDrops::kNone) {
    std::array<std::uint64_t, kMostDrops> counts = {};
    for (const std::uint8_t drop : model.drops) ++counts[drop];
    tables.drops.push_back(write_table(out, counts));
  }
  for (int k = contexts.lowest; k <= contexts.highest; ++k) {
    for (const auto& counts : model.counts[static_cast<std::size_t>(k)]) {
      tables.tokens.push_back(write_table(out, counts));
    }
  }
  return tables;
}

struct ReadModel {
  Contexts contexts;
  Tables tables;
  bool failed = false;
};

ReadModel read_model(std::span<const std::byte> bytes) {
  BitReader in(bytes);
  ReadModel model;
  Contexts& contexts = model.contexts;
  const std::uint32_t kind = in.get(kKindBits);
  contexts.drops = static_cast<RowDrops>(std::min(kind, 2u));
  contexts.by_column = in.get(1) == 1;
  contexts.level = static_cast<int>(in.get(kLevelBits)) + kLowestLevel;
  contexts.lowest = static_cast<int>(in.get(kClassBits));
  contexts.highest = static_cast<int>(in.get(kClassBits));
  model.failed = in.failed() || kind > 2 || contexts.level > kHighestLevel ||
                 contexts.lowest > contexts.highest || contexts.highest >= kClasses;
  if (model.failed) return model;
  if (kind > 0) model.tables.drops.push_back(read_table(in, kMostDrops));
  for (int k = 2 * contexts.lowest; k < 2 * contexts.highest + 2; ++k) {
    model.tables.tokens.push_back(read_table(in, kTokens));
  }
  model.failed = !in.rest().empty() || in.failed();
  return model;
}

// Reads few bits at a time; zeros beyond the end.
class RawBits {
 public:
  explicit RawBits(std::span<const std::byte> bytes) : bytes_(bytes) {}

  // The next bits, 57 at least.
  std::uint64_t peek() const {
    const std::size_t byte = at_ / 8;
    std::uint64_t word = 0;
    if (byte + sizeof word <= bytes_.size()) {
      std::memcpy(&word, bytes_.data() + byte, sizeof word);
    } else if (byte < bytes_.size()) {
      std::memcpy(&word, bytes_.data() + byte, bytes_.size() - byte);
    }
    return word >> at_ % 8;
  }
  void skip(std::size_t n_bits) { at_ += n_bits; }

  // True if no bit beyond the end was taken, and those left are zeros.
  bool ends_well() const {
    if (at_ > 8 * bytes_.size()) return false;
    if (at_ % 8 != 0 && (peek() & 0xffu >> at_ % 8) != 0) return false;
    return std::all_of(bytes_.begin() + static_cast<std::ptrdiff_t>((at_ + 7) / 8), bytes_.end(),
                       [](std::byte byte) { return byte == std::byte{0}; });
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

class Decoder {
 public:
  Decoder(MatrixShape shape, ReadModel model, std::span<const std::byte> tokens,
          std::span<const std::byte> raw)
      : shape_(shape),
        contexts_(model.contexts),
        tables_(std::move(model.tables)),
        tokens_(tokens),
        raw_(raw),
        columns_(contexts_.by_column ? shape.cols : 0),
        no_columns_(contexts_.by_column ? 0 : shape.cols),
        symbols_(kLanes * shape.cols),
        quantizers_(kLanes * shape.cols) {}

  Decoded run() {
    Decoded decoded{std::vector<std::int16_t>(shape_.rows * shape_.cols), {}};
    const std::size_t n_groups = groups_per_chain(shape_.cols);
    for (std::size_t first = 0; first < shape_.rows; first += kLanes) {
      if (first / kLanes % n_groups == 0) states_.fill(0);
      decode_group(first, std::min(kLanes, shape_.rows - first), decoded);
    }
    decoded.fault = tokens_.fault();
    if (decoded.fault == nullptr && !raw_.ends_well()) {
      decoded.fault = "the raw bits do not end with the last integer";
    }
    if (decoded.fault == nullptr && most_ > TcqWeight::kMostValue) {
      decoded.fault = "an integer is beyond 16 bits";
    }
    return decoded;
  }

 private:
  void decode_group(std::size_t first, std::size_t n_rows, Decoded& decoded) {
    std::array<std::uint8_t, kLanes> drops = {};
    if (!tables_.drops.empty()) {
      std::array<std::uint16_t, kLanes> symbols = {};
      tokens_.get_all(tables_.drops.front(), std::span(symbols).first(n_rows));
      for (std::size_t l = 0; l < n_rows; ++l) drops[l] = static_cast<std::uint8_t>(symbols[l]);
      if (contexts_.drops == RowDrops::kStep) {
        decoded.fineness.insert(decoded.fineness.end(), drops.begin(),
                                drops.begin() + static_cast<std::ptrdiff_t>(n_rows));
      }
    }
    std::array<int, kLanes> levels;
    for (std::size_t l = 0; l < kLanes; ++l) levels[l] = contexts_.level_of_row(drops[l]);
    if (n_rows == kLanes) {
      read_tokens<kLanes>(levels, n_rows);
    } else {
      read_tokens<0>(levels, n_rows);
    }
    std::int16_t* to = decoded.values.data() + first * shape_.cols;
    read_raw(n_rows, to);
    if (!contexts_.by_column) return;
    for (std::size_t l = 0; l < n_rows; ++l) columns_.add_row(to + l * shape_.cols, levels[l]);
    columns_.end_group();
  }

  // Tokens and quantizers of a group, column by column. kRows: n_rows, or 0 if not known.
  template <std::size_t kRows>
  void read_tokens(const std::array<int, kLanes>& levels, std::size_t n_rows) {
    const std::size_t n = kRows > 0 ? kRows : n_rows;
    // Of each lane, the tables of each class of column.
    std::array<std::array<const RansTable*, 17>, kLanes> tables;
    for (std::size_t l = 0; l < n; ++l) {
      for (int column = -8; column <= 8; ++column) {
        const int k = contexts_.class_of(levels[l], column) - contexts_.lowest;
        tables[l][static_cast<std::size_t>(column + 8)] =
            &tables_.tokens[static_cast<std::size_t>(2 * k)];
      }
    }
    const std::int8_t* columns =
        contexts_.by_column ? columns_.classes().data() : no_columns_.data();
    const std::uint16_t* symbols = symbols_.data();
    std::uint8_t* quantizers = quantizers_.data();
    std::array<unsigned, kLanes> states = states_;
    tokens_.get_by(
        [&](std::size_t i) -> const RansTable& {
          const std::size_t l = i % n, c = i / n;
          if (c > 0) states[l] = next_state(states[l], symbols[i - n] & 1u);
          const unsigned quantizer = states[l] & 1u;
          quantizers[i] = static_cast<std::uint8_t>(quantizer);
          return tables[l][static_cast<std::size_t>(columns[c] + 8)][quantizer];
        },
        std::span(symbols_).first(n * shape_.cols));
    for (std::size_t l = 0; l < n && shape_.cols > 0; ++l) {
      states_[l] = next_state(states[l], symbols[(shape_.cols - 1) * n + l] & 1u);
    }
  }

  void read_raw(std::size_t n_rows, std::int16_t* to) {
    const std::uint16_t* symbols = symbols_.data();
    const std::uint8_t* quantizers = quantizers_.data();
    for (std::size_t c = 0; c < shape_.cols; ++c, symbols += n_rows, quantizers += n_rows) {
      std::uint64_t bits = raw_.peek();
      unsigned used = 0;
      for (std::size_t l = 0; l < n_rows; ++l) {
        unsigned index = symbols[l];
        if (index >= kDirect) {
          const unsigned n_bits = raw_bits(index);
          raw_.skip(used);
          const auto raw = static_cast<unsigned>(raw_.peek() & ((1u << n_bits) - 1));
          raw_.skip(n_bits);
          bits = raw_.peek();
          used = 0;
          index = index_of_raw(index, raw);
        }
        const unsigned some = index > 0 ? 1 : 0;
        const unsigned magnitude = 2 * index - (some & quantizers[l]);
        const auto sign = static_cast<unsigned>(bits) & some;
        bits >>= some;
        used += some;
        most_ = std::max(most_, magnitude);
        const auto value = static_cast<int>(magnitude);
        to[l * shape_.cols + c] = static_cast<std::int16_t>(sign ? -value : value);
      }
      raw_.skip(used);
    }
  }

  MatrixShape shape_;
  Contexts contexts_;
  Tables tables_;
  RansDecoder tokens_;
  RawBits raw_;
  ColumnClasses columns_;
  std::vector<std::int8_t> no_columns_;
  std::vector<std::uint16_t> symbols_;    // of a group: [cols][rows]
  std::vector<std::uint8_t> quantizers_;  // the same
  std::array<unsigned, kLanes> states_ = {};
  unsigned most_ = 0;
};

// What the decoder will read, in its order: the table and the token of each.
struct Symbol {
  std::uint8_t table;  // of tokens; kDropTable: of drops
  std::uint8_t token;
};
constexpr std::uint8_t kDropTable = 2 * kClasses;

std::vector<Symbol> symbols_of(const Values& values, const Model& model, BitWriter& raw) {
  const auto [rows, cols] = values.shape;
  const Contexts& contexts = model.contexts;
  std::vector<Symbol> symbols;
  symbols.reserve(rows * cols + model.drops.size());
  std::array<unsigned, kLanes> states = {};
  for (std::size_t first = 0; first < rows; first += kLanes) {
    const std::size_t n = std::min(kLanes, rows - first);
    if (first / kLanes % groups_per_chain(cols) == 0) states.fill(0);
    std::array<int, kLanes> levels;
    for (std::size_t l = 0; l < n; ++l) {
      const std::uint8_t drop = model.drops.empty() ? std::uint8_t{0} : model.drops[first + l];
      levels[l] = contexts.level_of_row(drop);
      if (!model.drops.empty()) symbols.push_back({kDropTable, drop});
    }
    const std::int8_t* columns =
        contexts.by_column ? model.columns.data() + first / kLanes * cols : nullptr;
    for (std::size_t c = 0; c < cols; ++c) {
      for (std::size_t l = 0; l < n; ++l) {
        const int value = values.row(first + l)[c];
        const unsigned quantizer = states[l] % 2;
        const unsigned index = index_of(static_cast<unsigned>(std::abs(value)), quantizer);
        const unsigned token = token_of(index);
        const int k = contexts.class_of(levels[l], columns == nullptr ? 0 : columns[c]);
        symbols.push_back(
            {static_cast<std::uint8_t>(2 * static_cast<unsigned>(k - contexts.lowest) + quantizer),
             static_cast<std::uint8_t>(token)});
        if (token >= kDirect) raw.put(raw_of(index), raw_bits(token));
        if (index > 0) raw.put(value < 0 ? 1 : 0, 1);
        states[l] = next_state(states[l], index % 2);
      }
    }
  }
  return symbols;
}

}  // namespace

Coded encode_values(const Values& values) {
  const Model model = choose_model(values);
  BitWriter head, raw;
  const Tables tables = write_model(head, model);
  const std::vector<Symbol> symbols = symbols_of(values, model, raw);
  RansEncoder encoder(symbols.size());
  for (std::size_t i = symbols.size(); i-- > 0;) {
    const auto [table, token] = symbols[i];
    encoder.put(table == kDropTable ? tables.drops.front() : tables.tokens[table], token);
  }
  return {std::move(head).take(), std::move(encoder).finish(), std::move(raw).take()};
}

Decoded decode_values(MatrixShape shape, std::span<const std::byte> model,
                      std::span<const std::byte> tokens, std::span<const std::byte> raw) {
  ReadModel read = read_model(model);
  if (read.failed) return {{}, {}, "the model is not one of tcq"};
  return Decoder(shape, std::move(read), tokens, raw).run();
}

}  // namespace pqw::tcq
