// Checks of inputs and outputs that the makers of archives share.
#include "pipeline/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "core/subject.h"
#include "formats/formats.h"

namespace pqw {
namespace {

// Extensions that belong to other formats.
constexpr std::array<std::string_view, 30> kForeignExtensions = {
    ".bz2",  ".ckpt", ".csv",  ".gguf", ".gz",      ".json",    ".keras", ".mat",
    ".ggml", ".npy",  ".npz",  ".onnx", ".mlmodel", ".msgpack", ".pb",    ".pickle",
    ".pkl",  ".pt",   ".pth",  ".tar",  ".tflite",  ".tgz",     ".txt",   ".safetensors",
    ".xml",  ".xz",   ".yaml", ".yml",  ".zip",     ".zst"};

}  // namespace

void require_all(const std::string& path, const WeightReader& file, bool skip_unsupported) {
  std::vector<Skipped> lost = file.skipped();
  std::erase_if(lost, [](const Skipped& skipped) { return !skipped.has_numbers; });
  if (!lost.empty() && !skip_unsupported) {
    throw Subject{path}.error(ErrorCode::kNotCarried, "{}, which cannot be carried{}",
                              to_string(lost.front()),
                              lost.size() == 1 ? "" : fmt::format("; {} more", lost.size() - 1));
  }
  if (file.tensors().empty()) {
    throw Subject{path}.error(
        ErrorCode::kNotFound, "holds no tensor{}",
        file.skipped().empty() ? "" : ": " + to_string(file.skipped().front()));
  }
}

void require_archive_extension(const std::string& output) {
  const std::string extension = extension_of(output);
  if (std::ranges::find(kForeignExtensions, extension) == kForeignExtensions.end()) return;
  throw Subject{output}.error(
      ErrorCode::kInvalidArgument,
      "an archive is an HDF5 file: expected the extension .h5, .hdf5 or .pqw, found '{}'",
      extension);
}

}  // namespace pqw
