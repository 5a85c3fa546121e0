// GGUF files made from parts, for tests.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "tests/formats/file_testing.h"

namespace pqw::test {

inline std::string u32(std::uint32_t value) { return little_endian<std::uint32_t>({value}); }
inline std::string u64(std::uint64_t value) { return little_endian<std::uint64_t>({value}); }
inline std::string gguf_text(const std::string& text) { return u64(text.size()) + text; }

// The number of a type and the bytes of a value.
inline std::string gguf_entry(const std::string& key, std::uint32_t type,
                              const std::string& value) {
  return gguf_text(key) + u32(type) + value;
}

// `sizes`: the one that varies fastest comes first.
inline std::string gguf_tensor(const std::string& name, std::initializer_list<std::uint64_t> sizes,
                               std::uint32_t type, std::uint64_t offset) {
  std::string text = gguf_text(name) + u32(static_cast<std::uint32_t>(sizes.size()));
  for (const std::uint64_t size : sizes) text += u64(size);
  return text + u32(type) + u64(offset);
}

struct GgufParts {
  std::initializer_list<std::string> entries = {};
  std::initializer_list<std::string> tensors = {};
  std::string data = {};
  std::uint64_t alignment = 32;
  std::uint32_t version = 3;
};

inline std::string gguf_of(const GgufParts& parts) {
  std::string file =
      "GGUF" + u32(parts.version) + u64(parts.tensors.size()) + u64(parts.entries.size());
  for (const std::string& entry : parts.entries) file += entry;
  for (const std::string& tensor : parts.tensors) file += tensor;
  file.resize((file.size() + parts.alignment - 1) / parts.alignment * parts.alignment);
  return file + parts.data;
}

}  // namespace pqw::test
