// Which format a file has, by its content.
#include "formats/detect.h"

#include <fmt/format.h>

#include <span>
#include <string_view>
#include <vector>

#include "formats/foreign.h"
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

std::string describe_start(const InputFile& file) {
  std::string hex;
  for (const std::byte b : file.read_start(8)) {
    hex += fmt::format(" {:02x}", std::to_integer<unsigned>(b));
  }
  return "of an unknown format; it starts with" + hex;
}

std::string describe_file(const InputFile& file) {
  switch (detect_format(file)) {
    case FileFormat::kSafetensors:
      return "a safetensors file";
    case FileFormat::kNpy:
      return "a .npy file";
    case FileFormat::kZip:
      return "a zip archive (.npz?)";
    case FileFormat::kHdf5:
      return "an HDF5 file";
    case FileFormat::kOther:
      break;
  }
  if (file.size() == 0) return "empty";
  if (const auto foreign = recognise_foreign(file)) return foreign->what + "; " + foreign->next;
  return describe_start(file);
}

}  // namespace pqw
