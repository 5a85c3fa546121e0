// The section in which an archive stores values of a pq weight entropy-coded.
// Layout: docs/archive_format.md, "Entropy-coded values".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/subject.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// Bytes as they stand in other sections, and the codes.
struct CodedValues {
  std::vector<std::byte> codebook_highs;  // the high byte of each F16 of the codebooks, or empty
  std::vector<std::byte> row_scales;      // the bytes of the section row_scales, or empty
  std::vector<std::uint16_t> codes;       // as in PqWeight
};

// The codes and row scales that a section may have. Without a limit, a few bytes could stand for
// symbols that fill the memory, as symbols that are sure take no bits.
constexpr std::size_t most_entropy_coded(std::size_t n_bytes) {
  constexpr std::size_t kAlways = std::size_t{1} << 22, kPerByte = 1024;
  return kAlways + kPerByte * n_bytes;
}

// The section of the codes of a weight and of these bytes, which it leaves empty if coding does not
// make them smaller. REQUIRES: the weight has codes.
std::vector<std::byte> entropy_coded(const PqWeight& weight, CodedValues& values);

// Reads the codes of the weight, whose shape, groups and centroids are known, and as many bytes.
// Errors: kCorrupt, with that subject.
CodedValues entropy_decoded(std::span<const std::byte> section, const PqWeight& weight,
                            std::size_t n_codebook_highs, std::size_t n_row_scales,
                            const Subject& subject);

}  // namespace pqw
