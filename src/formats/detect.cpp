// Which format a file has, by its content.
#include "formats/detect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "formats/little_endian.h"
#include "formats/npy_header.h"
#include "h5/superblock.h"

namespace pqw {
namespace {

using namespace std::string_view_literals;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A length of some plausible size and the '{' of the JSON. Whether the length is right is left to
// the reader, which can say what is wrong.
bool is_safetensors(std::span<const std::byte> file) {
  return file.size() > 8 && load_little_endian<std::uint64_t>(file) >> 40 == 0 &&
         as_text(file)[8] == '{';
}

// A zip archive starts with a member, or with its end if it is empty.
bool is_zip(std::string_view text) {
  return text.starts_with("PK\3\4"sv) || text.starts_with("PK\5\6"sv);
}

// As many bytes as decide about every format.
std::vector<std::byte> start_of(const InputFile& file) { return file.read_start(64); }

// ONNX: a protobuf message whose first field is ir_version (1), followed by a string field or the
// graph.
bool is_onnx(std::string_view text) {
  return text.size() > 3 && text[0] == '\x08' && text[1] > 0 && text[1] < 32 &&
         (text[2] == '\x12' || text[2] == '\x1a' || text[2] == '\x3a' || text[2] == '\x42');
}

std::optional<std::string_view> unsupported_format(std::string_view text) {
  if (text.starts_with("GGUF"sv)) return "a GGUF file";
  if (text.substr(std::min<std::size_t>(text.size(), 4)).starts_with("TFL3"sv)) {
    return "a TensorFlow Lite file";
  }
  if (text.size() > 1 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) {
    return "a Python pickle (PyTorch's legacy format?)";
  }
  if (is_onnx(text)) return "a protobuf message (ONNX?)";
  return std::nullopt;
}

}  // namespace

FileFormat detect_format(const InputFile& file) {
  const std::vector<std::byte> start = start_of(file);
  const std::string_view text = as_text(start);
  if (text.starts_with(kNpyMagic)) return FileFormat::kNpy;
  if (is_zip(text)) return FileFormat::kZip;
  const auto superblock = h5::find_superblock(file);
  if (superblock == 0u) return FileFormat::kHdf5;
  if (is_safetensors(start)) return FileFormat::kSafetensors;
  return superblock ? FileFormat::kHdf5 : FileFormat::kOther;
}

std::string describe_unknown(const InputFile& file) {
  const std::vector<std::byte> bytes = start_of(file);
  const std::string_view text = as_text(bytes);
  if (text.empty()) return "empty";
  if (const auto name = unsupported_format(text)) return std::string(*name);
  if (text.starts_with("version https://git-lfs"sv)) return "a Git LFS pointer, not the file";
  const auto start = text.substr(0, 8);
  std::string hex;
  for (const char c : start) hex += fmt::format(" {:02x}", static_cast<unsigned char>(c));
  return fmt::format("of no known format, it starts with{}", hex);
}

bool is_known_but_unsupported(const InputFile& file) {
  return unsupported_format(as_text(start_of(file))).has_value();
}

}  // namespace pqw
