// The formats of weight files: one table, which detection, opening, creating and messages follow.
#include "formats/formats.h"

#include <algorithm>
#include <filesystem>

#include "core/subject.h"
#include "io/spool.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

// Detection takes the first format that fits.
const Format kFormats[] = {
    {.name = "safetensors",
     .file = "a safetensors file",
     .extensions = {".safetensors"},
     .detect = is_safetensors,
     .open = open_safetensors,
     .create = create_safetensors,
     .copy = copy_safetensors},
    {.name = ".npy",
     .file = "a .npy file",
     .extensions = {".npy"},
     .detect = is_npy,
     .open = open_npy,
     .create = create_npy},
    {.name = ".npz",
     .file = "a .npz file",
     .extensions = {".npz"},
     .detect = is_npz,
     .open = open_npz,
     .create = create_npz},
    {.name = "ONNX",
     .file = "an ONNX model",
     .extensions = {},
     .detect = is_onnx,
     .open = open_onnx,
     .create = nullptr,
     .copy = copy_onnx,
     .copied = {".onnx"}},
    {.name = "PyTorch",
     .file = "a PyTorch file",
     .extensions = {},
     .detect = is_torch,
     .open = open_torch,
     .create = nullptr,
     .copy = copy_torch,
     .copied = {".pt", ".pth", ".bin", ".ckpt"}},
    {.name = ".keras",
     .file = "a .keras file",
     .extensions = {},
     .detect = is_keras_archive,
     .open = open_keras,
     .create = nullptr,
     .copy = copy_keras,
     .copied = {".keras"}},
    {.name = "HDF5",
     .file = "an HDF5 file",
     .extensions = {".h5", ".hdf5"},
     .detect = is_hdf5,
     .open = open_hdf5,
     .create = create_hdf5,
     .copy = copy_hdf5},
    {.name = "GGUF",
     .file = "a GGUF file",
     .extensions = {},
     .detect = is_gguf,
     .open = open_gguf,
     .create = nullptr},
    {.name = "TensorFlow.js",
     .file = "a TensorFlow.js model",
     .extensions = {},
     .detect = is_tfjs,
     .open = open_tfjs,
     .create = nullptr,
     .names_files = true},
    {.name = "shard index",
     .file = "an index of shards",
     .extensions = {},
     .detect = is_shard_index,
     .open = open_shard_index,
     .create = nullptr,
     .names_files = true},
};

}  // namespace

const Format* find_format(const InputFile& file) {
  const auto* const format =
      std::ranges::find_if(kFormats, [&](const Format& f) { return f.detect(file); });
  return format == std::end(kFormats) ? nullptr : format;
}

std::string extension_of(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

const Format& format_of_output(const std::string& path) {
  const Subject subject{path, ErrorCode::kInvalidArgument};
  if (path.empty()) throw subject.error("the name of the output is empty");
  if (path == kStandardStream) return kFormats[0];  // which can be written as a stream
  const std::string extension = extension_of(path);
  for (const Format& format : kFormats) {
    if (std::ranges::find(format.extensions, extension) != format.extensions.end()) return format;
  }
  for (const Format& format : kFormats) {
    if (std::ranges::find(format.copied, extension) == format.copied.end()) continue;
    throw subject.error("{} is only written as a copy of one: name the original with --template",
                        format.file);
  }
  const Words known = writable_extensions();
  throw subject.error("unknown extension '{}', expected {}{}", shown(extension), listed(known),
                      did_you_mean(extension, known));
}

std::string readable_formats() {
  Words names;
  for (const Format& format : kFormats) names.emplace_back(format.name);
  return listed(names);
}

std::string template_formats() {
  Words names;
  for (const Format& format : kFormats) {
    if (format.copy != nullptr) names.emplace_back(format.name);
  }
  return listed(names);
}

std::vector<std::string> writable_extensions() {
  std::vector<std::string> extensions;
  for (const Format& format : kFormats) {
    extensions.insert(extensions.end(), format.extensions.begin(), format.extensions.end());
  }
  return extensions;
}

}  // namespace pqw
