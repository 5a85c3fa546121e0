// The subject of an error message: a file, and a tensor in it.
#include "formats/where.h"

#include <fmt/format.h>

#include "pqw/core/text.h"

namespace pqw {
namespace {

constexpr std::size_t kLongest = 160;

bool is_utf8_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

}  // namespace

std::string for_message(std::string_view text) {
  if (text.size() <= kLongest) return printable(text);
  std::size_t keep = kLongest - 40;
  while (keep > 0 && is_utf8_continuation(text[keep])) --keep;
  return fmt::format("{}... ({} bytes)", printable(text.substr(0, keep)), text.size());
}

void InFile::fail(ErrorCode code, const std::string& message) const {
  throw Error(code, fmt::format("{}: {}", path, message));
}

void InTensor::fail(ErrorCode code, const std::string& message) const {
  throw Error(code, fmt::format("{}: tensor '{}': {}", path, for_message(name), message));
}

}  // namespace pqw
