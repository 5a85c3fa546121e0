// The first 512 bytes of an archive.
#include "archive/user_block.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "archive/layout.h"
#include "core/subject.h"
#include "h5/file.h"

namespace pqw::archive {
namespace {

static_assert(kUserBlockBytes == h5::kUserBlockBytes);

constexpr std::string_view kMagic = "pqw archive\n";
constexpr std::string_view kVersionLine = "version ";
constexpr std::string_view kBytesLine = "bytes ";
constexpr std::string_view kDigestLine = "sha256 ";
constexpr std::size_t kDigestDigits = 64;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Takes "<key><value>\n" off the front of `text`; an empty value when it is not there.
std::string_view take_line(std::string_view& text, std::string_view key) {
  if (!text.starts_with(key)) return {};
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return {};
  const std::string_view value = text.substr(key.size(), end - key.size());
  text.remove_prefix(end + 1);
  return value;
}

std::uint64_t parse_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  return status == std::errc() && end == text.data() + text.size() ? value : 0;
}

}  // namespace

std::array<std::byte, kUserBlockBytes> render(const UserBlock& block) {
  std::string text(kMagic);
  text += std::string(kVersionLine) + std::to_string(block.version) + "\n";
  text += std::string(kBytesLine) + std::to_string(block.file_bytes) + "\n";
  text += std::string(kDigestLine) + block.sha256 + "\n";
  text += "check: tail -c +513 FILE | sha256sum\n";
  text.resize(kUserBlockBytes - 1, ' ');
  text += '\n';
  std::array<std::byte, kUserBlockBytes> bytes;
  std::transform(text.begin(), text.end(), bytes.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

bool has_magic(std::span<const std::byte> file) { return as_text(file).starts_with(kMagic); }

UserBlock parse(std::span<const std::byte> file, const std::string& path) {
  if (!has_magic(file)) throw Subject{path}.error("not a pqw archive: its first line differs");
  if (file.size() < kUserBlockBytes) {
    throw Subject{path}.error(ErrorCode::kCorrupt,
                              "{} bytes, shorter than the first block of 512 bytes", file.size());
  }
  const auto head = file.first(kUserBlockBytes);
  std::string_view text = as_text(head).substr(kMagic.size());
  UserBlock block;
  block.version = parse_number(take_line(text, kVersionLine));
  if (block.version > kVersion) {
    throw Subject{path}.error(ErrorCode::kUnsupported,
                              "version {} of the format, this program reads versions 1 to {}",
                              block.version, kVersion);
  }
  block.file_bytes = parse_number(take_line(text, kBytesLine));
  block.sha256 = take_line(text, kDigestLine);
  const bool is_digest = block.sha256.size() == kDigestDigits &&
                         block.sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (block.version < kFirstVersion || !is_digest || !std::ranges::equal(render(block), head)) {
    throw Subject{path}.error(ErrorCode::kCorrupt, "the first block of 512 bytes is damaged");
  }
  return block;
}

UserBlock read_block(const InputFile& file) {
  const UserBlock block = parse(file.read_start(kUserBlockBytes), file.path());
  if (block.file_bytes == file.size()) return block;
  throw Subject{file.path(), ErrorCode::kCorrupt}.error("{} bytes long, its first block says {}",
                                                        file.size(), block.file_bytes);
}

}  // namespace pqw::archive
