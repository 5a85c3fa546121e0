// Checks the output of compress before any work.
#include "compress/archive_output.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/subject.h"
#include "formats/formats.h"
#include "io/different_files.h"

namespace pqw {
namespace {

// Extensions that belong to other formats.
constexpr std::array<std::string_view, 30> kForeignExtensions = {
    ".bz2",  ".ckpt", ".csv",  ".gguf", ".gz",      ".json",    ".keras", ".mat",
    ".ggml", ".npy",  ".npz",  ".onnx", ".mlmodel", ".msgpack", ".pb",    ".pickle",
    ".pkl",  ".pt",   ".pth",  ".tar",  ".tflite",  ".tgz",     ".txt",   ".safetensors",
    ".xml",  ".xz",   ".yaml", ".yml",  ".zip",     ".zst"};

}  // namespace

void check_archive_output(const std::string& input, const Recipe& recipe,
                          const std::string& output) {
  const std::array<std::string, 2> inputs = {input, recipe.file};
  require_different_files(inputs, output);
  const std::string extension = extension_of(output);
  if (std::ranges::find(kForeignExtensions, extension) == kForeignExtensions.end()) return;
  throw Subject{output}.error(
      ErrorCode::kInvalidArgument,
      "an archive is an HDF5 file: expected the extension .h5, .hdf5 or .pqw, found '{}'",
      extension);
}

}  // namespace pqw
