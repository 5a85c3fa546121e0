// Recognises files without weights, and weight files of formats that pqw does not read.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "formats/formats.h"
#include "formats/zip_archive.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

using namespace std::string_view_literals;

constexpr const char* kExport = "export its weights to safetensors, .npz or HDF5";
constexpr const char* kUnpack = "unpack it and name the weight file";
constexpr const char* kFetchWeights = "fetch the weight file again";

struct Magic {
  std::size_t at;
  std::string_view bytes;
  const char* what;
  const char* next;
};

// Sources: the specification of each format.
constexpr Magic kMagics[] = {
    {0, "lmgg"sv, "a GGML file", "use the file that it was made from"},
    {0, "tjgg"sv, "a GGML file", "use the file that it was made from"},
    {4, "TFL3"sv, "a TensorFlow Lite file", "use the model that it was made from"},
    {4, "ORTM"sv, "an ONNX Runtime file (.ort)", "use the .onnx model that it was made from"},
    {4, "ET12"sv, "an ExecuTorch program", "use the model that it was made from"},
    {0, "x\x9c"sv, "zlib data (of joblib?)", kExport},
    {0, "\x1f\x8b"sv, "packed by gzip", "unpack it first: gunzip FILE.gz"},
    {0, "\x28\xb5\x2f\xfd"sv, "packed by zstd", "unpack it first: unzstd FILE.zst"},
    {0, "\xfd\x37zXZ\0"sv, "packed by xz", "unpack it first: unxz FILE.xz"},
    {0, "BZh"sv, "packed by bzip2", "unpack it first: bunzip2 FILE.bz2"},
    {0, "\x04\x22\x4d\x18"sv, "packed by lz4", "unpack it first: unlz4 FILE.lz4"},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", kUnpack},
    {0, "Rar!\x1a\x07"sv, "a RAR archive", kUnpack},
    {257, "ustar"sv, "a tar archive", kUnpack},
    {0, "ARROW1"sv, "an Arrow file", kExport},
    {0, "PAR1"sv, "a Parquet file", kExport},
    {0, "SQLite format 3"sv, "an SQLite database", kExport},
    {0, "MATLAB 5.0"sv, "a MATLAB file of version 5", "save it with -v7.3, which is HDF5"},
    {0, "\x12\x01\0\0\0\0\0\0"sv, "an MXNet file", kExport},
    {0, "ftrt"sv, "a TensorRT engine", "use the model that it was made from"},
    {0, "%PDF"sv, "a PDF document", kFetchWeights},
    {0, "\177ELF"sv, "a program", kFetchWeights},
    {0, "\x89PNG"sv, "an image", kFetchWeights},
    {0, "\xff\xd8\xff"sv, "an image", kFetchWeights},
};

// Protobuf messages that start with a version and a message: TensorFlow's saved_model.pb (version
// 1, then a MetaGraphDef) and Core ML's .mlmodel (version 1 or later, then a ModelDescription).
bool is_other_model(std::string_view text) {
  return text.size() > 2 && text[0] == '\x08' && text[1] >= 1 && text[1] <= 20 && text[2] == '\x12';
}

bool is_pickle(std::string_view text) {
  return text.size() > 1 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5;
}

std::string_view without_space(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf"sv)) text.remove_prefix(3);  // the mark of UTF-8
  return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

// Whether `text` starts with `start`, in upper or lower case.
bool starts_with_letters(std::string_view text, std::string_view start) {
  return std::ranges::equal(text.substr(0, start.size()), start, {}, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
}

std::optional<Foreign> recognise_text(std::string_view text) {
  if (text.starts_with("version https://git-lfs"sv)) {
    return Foreign{"a Git LFS pointer, not the file", "git lfs pull fetches the file",
                   ErrorCode::kFormat};
  }
  const std::string_view start = without_space(text);
  for (const std::string_view tag : {"<!doctype html"sv, "<html"sv, "<head"sv}) {
    if (!starts_with_letters(start, tag)) continue;
    return Foreign{"an HTML page, not a weight file (a login or an error page?)",
                   "fetch the file again, with the login or token that its server asks for",
                   ErrorCode::kFormat};
  }
  if (start.starts_with("<?xml"sv)) {
    return Foreign{"an XML file", "name the weight file", ErrorCode::kFormat};
  }
  if (!start.starts_with('{') && !start.starts_with('[')) return std::nullopt;
  // It is JSON if the next character fits, which in a safetensors file is part of the length.
  const std::string_view next = without_space(start.substr(1));
  if (next.empty() || std::string_view("\"{}[]-0123456789tfn").find(next[0]) == next.npos) {
    return std::nullopt;
  }
  return Foreign{"JSON text, which holds no weights", "name the weight file beside it",
                 ErrorCode::kFormat};
}

// REQUIRES: at least one member.
Foreign recognise_zip(const std::vector<std::string>& members) {
  constexpr std::size_t kMostShown = 3;
  std::string list;
  for (std::size_t i = 0; i < std::min(members.size(), kMostShown); ++i) {
    list += fmt::format("{}'{}'", i == 0 ? "" : ", ", shown(members[i]));
  }
  return {fmt::format("a zip archive of {} members, none of them a .npy or model.weights.h5: {}{}",
                      members.size(), list, members.size() > kMostShown ? ", ..." : ""),
          "unzip it and name the weight file", ErrorCode::kFormat};
}

std::string first_bytes(std::string_view text) {
  std::string hex;
  for (const char c : text.substr(0, 8))
    hex += fmt::format(" {:02x}", static_cast<unsigned char>(c));
  return hex;
}

}  // namespace

Foreign describe_foreign(const InputFile& file) {
  constexpr std::size_t kStartBytes = 64 * 1024;
  const std::vector<std::byte> bytes = file.read_start(kStartBytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty()) return {"empty", "", ErrorCode::kFormat};
  for (const Magic& magic : kMagics) {
    if (text.size() < magic.at || !text.substr(magic.at).starts_with(magic.bytes)) continue;
    return {magic.what, magic.next};
  }
  if (is_zip(file)) {
    if (const auto members = zip_members(file)) return recognise_zip(*members);
  }
  if (is_pickle(text)) {
    return {"a Python pickle, which torch.save did not write",
            "reading it could run code; " + std::string(kExport)};
  }
  if (is_other_model(text)) {
    return {"a protobuf message, but not an ONNX model (TensorFlow's saved_model.pb? Core ML?)",
            "convert the model to ONNX, or export its weights to safetensors, .npz or HDF5"};
  }
  if (const auto foreign = recognise_text(text)) return *foreign;
  return {"of an unknown format; it starts with" + first_bytes(text), "", ErrorCode::kFormat};
}

}  // namespace pqw
