// Entropy codes the values of pq weights, and back.
#include "codecs/pq/value/entropy_coding.h"

#include <optional>

#include "codecs/entropy/rans.h"
#include "codecs/pq/value/code_classes.h"

namespace pqw {
namespace {

constexpr std::size_t kBytes = 256;  // symbols of bytes
constexpr unsigned kClassFieldBits = 3;

// Writes the frequencies of these bytes and returns their table; if coding does not make the bytes
// smaller, clears them.
std::optional<RansTable> table_of_bytes(BitWriter& out, std::vector<std::byte>& bytes) {
  std::vector<std::uint64_t> counts(kBytes);
  for (const std::byte value : bytes) ++counts[std::to_integer<std::size_t>(value)];
  BitWriter trial;
  const Frequencies frequencies = write_frequencies(trial, counts);
  const double bits = static_cast<double>(trial.n_bits()) + coded_bits(counts, frequencies);
  if (bits >= 8 * static_cast<double>(bytes.size())) {
    bytes.clear();
    return std::nullopt;
  }
  write_frequencies(out, counts);
  return RansTable(frequencies);
}

void put_bytes(RansEncoder& encoder, const std::optional<RansTable>& table,
               std::span<const std::byte> bytes) {
  for (std::size_t i = bytes.size(); i-- > 0;) {
    encoder.put(*table, std::to_integer<std::size_t>(bytes[i]));
  }
}

void put_classes(BitWriter& out, const CodeClasses& classes) {
  out.put(classes.bits, kClassFieldBits);
  if (classes.bits > 0) out.put(classes.by_position ? 1 : 0, 1);
  for (const std::uint8_t value : classes.of) out.put(value, classes.bits);
}

CodeClasses get_classes(BitReader& in, const PqWeight& weight) {
  CodeClasses classes;
  classes.bits = in.get(kClassFieldBits);
  if (classes.bits > kMostClassBits) in.fail();
  if (classes.bits == 0 || in.failed()) return classes;
  classes.by_position = in.get(1) == 1;
  const std::size_t n = classes.by_position ? weight.positions() : weight.rows();
  for (std::size_t i = 0; i < n && !in.failed(); ++i) {
    classes.of.push_back(static_cast<std::uint8_t>(in.get(classes.bits)));
  }
  return classes;
}

// The frequencies of the codes of a group, by class.
using OfClasses = std::vector<Frequencies>;

std::vector<RansTable> tables_of(const OfClasses& classes) {
  return {classes.begin(), classes.end()};
}

std::vector<std::byte> bytes_from(RansDecoder& decoder, const Frequencies& frequencies,
                                  std::size_t n) {
  std::vector<std::byte> bytes(n);
  if (n == 0) return bytes;
  const RansTable table(frequencies);
  for (std::byte& value : bytes) value = static_cast<std::byte>(decoder.get(table));
  return bytes;
}

void get_codes(RansDecoder& decoder, const PqWeight& weight, const CodeClasses& classes,
               const std::vector<OfClasses>& of_groups, std::vector<std::uint16_t>& codes) {
  const std::size_t n_rows = weight.rows();
  for (std::size_t group = 0; group < weight.n_groups; ++group) {
    const std::vector<RansTable> tables = tables_of(of_groups[group]);
    const std::size_t first = first_position(group, weight.n_groups, weight.positions());
    const std::size_t end = first_position(group + 1, weight.n_groups, weight.positions());
    if (classes.of.empty()) {
      decoder.get_all(tables[0], std::span(codes).subspan(first * n_rows, (end - first) * n_rows));
      continue;
    }
    for (std::size_t p = first; p < end; ++p) {
      const auto of_position = std::span(codes).subspan(p * n_rows, n_rows);
      if (classes.by_position) {
        decoder.get_all(tables[classes.of[p]], of_position);
      } else {
        decoder.get_by([&](std::size_t r) -> const RansTable& { return tables[classes.of[r]]; },
                       of_position);
      }
    }
  }
}

}  // namespace

std::vector<std::byte> entropy_coded(const PqWeight& weight, CodedValues& values) {
  BitWriter out;
  const auto high_table = table_of_bytes(out, values.codebook_highs);
  const auto scale_table = table_of_bytes(out, values.row_scales);
  const CodeClasses classes = best_code_classes(weight);
  put_classes(out, classes);
  const std::vector<std::uint64_t> counts = count_codes(weight, classes);
  std::vector<OfClasses> of_groups(weight.n_groups, OfClasses(classes.count()));
  for (std::size_t i = 0; i < weight.n_groups * classes.count(); ++i) {
    const std::size_t k = weight.n_centroids;
    of_groups[i / classes.count()][i % classes.count()] =
        write_frequencies(out, std::span(counts).subspan(i * k, k));
  }

  RansEncoder encoder(values.codebook_highs.size() + values.row_scales.size() +
                      weight.codes.size());
  for (std::size_t group = weight.n_groups; group-- > 0;) {
    const std::vector<RansTable> tables = tables_of(of_groups[group]);
    const std::size_t first = first_position(group, weight.n_groups, weight.positions());
    for (std::size_t p = first_position(group + 1, weight.n_groups, weight.positions());
         p-- > first;) {
      const auto codes = weight.codes_of(p);
      for (std::size_t r = codes.size(); r-- > 0;) {
        encoder.put(tables[classes.at(p, r)], codes[r]);
      }
    }
  }
  put_bytes(encoder, scale_table, values.row_scales);
  put_bytes(encoder, high_table, values.codebook_highs);
  std::vector<std::byte> section = std::move(out).take();
  const std::vector<std::byte> stream = std::move(encoder).finish();
  section.insert(section.end(), stream.begin(), stream.end());
  return section;
}

CodedValues entropy_decoded(std::span<const std::byte> section, const PqWeight& weight,
                            std::size_t n_codebook_highs, std::size_t n_row_scales,
                            const Subject& subject) {
  BitReader in(section);
  const auto frequencies_of_bytes = [&](std::size_t n) {
    return n == 0 ? Frequencies() : read_frequencies(in, kBytes);
  };
  const Frequencies of_highs = frequencies_of_bytes(n_codebook_highs);
  const Frequencies of_scales = frequencies_of_bytes(n_row_scales);
  const CodeClasses classes = get_classes(in, weight);
  std::vector<OfClasses> of_groups;
  for (std::size_t group = 0; group < weight.n_groups && !in.failed(); ++group) {
    OfClasses& of_classes = of_groups.emplace_back();
    for (std::size_t c = 0; c < classes.count(); ++c) {
      of_classes.push_back(read_frequencies(in, weight.n_centroids));
    }
  }
  const std::span<const std::byte> stream = in.rest();
  if (in.failed()) throw subject.error("entropy_coded: its classes or frequencies are not valid");

  RansDecoder decoder(stream);
  CodedValues values;
  values.codebook_highs = bytes_from(decoder, of_highs, n_codebook_highs);
  values.row_scales = bytes_from(decoder, of_scales, n_row_scales);
  values.codes.resize(weight.positions() * weight.rows());
  get_codes(decoder, weight, classes, of_groups, values.codes);
  if (const char* fault = decoder.fault()) throw subject.error("entropy_coded: {}", fault);
  return values;
}

}  // namespace pqw
