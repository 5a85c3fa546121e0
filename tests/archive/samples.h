// Tensors and records for the tests of the archive.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pqw/archive/archive.h"
#include "pqw/core/error.h"
#include "tests/support/errors.h"

namespace pqw::test {

inline std::vector<std::byte> counting_bytes(std::size_t n, unsigned first = 1) {
  std::vector<std::byte> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>((first + i * 7) % 251);
  return bytes;
}

inline Section section(const std::string& name, DType dtype, const Shape& shape) {
  const std::size_t n = byte_count({name, dtype, shape});
  return {name, dtype, shape, counting_bytes(n, static_cast<unsigned>(name.size()))};
}

// A tensor of 4 x 6 floats in 2 codebooks of 4 centroids of 3 values and 8 codes of 2 bits.
inline Record pq_record(const std::string& name) {
  return {{name, DType::kF32, {4, 6}},
          "pq",
          {},
          "block_size=3,n_centroids=4",
          {section("codebooks", DType::kF16, {1, 4, 3}), section("codes", DType::kU8, {2})}};
}

// Opens an archive and reads all there is; in this process, which is quicker for thousands.
inline void read_all(const std::string& path, const ReadOptions& options = {.trusted = true}) {
  const ArchiveReader reader(path, options);
  for (std::size_t i = 0; i < reader.entries().size(); ++i) {
    if (reader.entries()[i].codec == "plain") {
      (void)reader.read_plain(i);
    } else {
      (void)reader.read(i);
    }
  }
}

}  // namespace pqw::test
