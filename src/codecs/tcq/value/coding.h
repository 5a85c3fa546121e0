// Integers of a weight to and from the bytes that an archive stores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/tcq/value/model.h"

namespace pqw::tcq {

// Layout: docs/archive_format.md, "Codec tcq".
struct Coded {
  std::vector<std::byte> model;
  std::vector<std::byte> tokens;
  std::vector<std::byte> raw;  // signs, and bits beside tokens
};

// REQUIRES: magnitudes up to TcqWeight::kMostValue.
Coded encode_values(const Values& values);

struct Decoded {
  std::vector<std::int16_t> values;    // [rows][cols]
  std::vector<std::uint8_t> fineness;  // [rows] or none
  const char* fault = nullptr;         // what is wrong with the bytes
};

// REQUIRES: memory for the values.
Decoded decode_values(MatrixShape shape, std::span<const std::byte> model,
                      std::span<const std::byte> tokens, std::span<const std::byte> raw);

}  // namespace pqw::tcq
