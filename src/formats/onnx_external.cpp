// Values of ONNX tensors in other files of the model's folder.
#include "formats/onnx_external.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

namespace pqw {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> entry(const onnx::TensorProto& tensor, std::string_view key) {
  for (const auto& item : tensor.external_data()) {
    if (item.key() == key) return item.value();
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number(const onnx::TensorProto& tensor, const char* key,
                                    const Subject& subject) {
  const auto text = entry(tensor, key);
  if (!text) return std::nullopt;
  std::uint64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error == std::errc() && stop == end) return value;
  throw subject.error("external data with {} '{}', expected a number", key, shown(*text));
}

// The file without symbolic links.
fs::path resolve(const std::string& model, const std::string& location, const Subject& subject) {
  const fs::path relative(location);
  const bool leads_up = std::ranges::find(relative, fs::path("..")) != relative.end();
  if (location.empty() || location.find('\0') != location.npos || relative.is_absolute() ||
      leads_up) {
    throw subject.error("external data in '{}', expected a file in the folder of the model",
                        shown(location));
  }
  std::error_code error;
  const fs::path parent = fs::path(model).parent_path();
  const fs::path folder = fs::canonical(parent.empty() ? "." : parent, error);
  const fs::path file = error ? fs::path() : fs::canonical(folder / relative, error);
  if (error) {
    throw subject.error(ErrorCode::kNotFound, "external data in '{}': {}; put it beside the model",
                        shown(location), error.message());
  }
  if (std::ranges::mismatch(folder, file).in1 != folder.end()) {
    throw subject.error(
        "external data in '{}', a link out of the folder of the model; copy the files into one "
        "folder",
        shown(location));
  }
  if (!fs::is_regular_file(file, error)) {
    throw subject.error("external data in '{}', which is not a regular file", shown(location));
  }
  return file;
}

}  // namespace

OnnxExternal locate_external(const std::string& model, const onnx::TensorProto& tensor,
                             std::uint64_t n_bytes, const Subject& subject) {
  const auto location = entry(tensor, "location");
  if (!location) throw subject.error("external data without a location");
  const std::uint64_t offset = number(tensor, "offset", subject).value_or(0);
  const auto length = number(tensor, "length", subject);
  const fs::path path = resolve(model, *location, subject);
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  if (error) throw subject.error(ErrorCode::kIo, "external data: {}", error.message());
  if (length && *length != n_bytes) {
    throw subject.error("external data of {} bytes, its type and shape need {}", *length, n_bytes);
  }
  if (offset > size || n_bytes > size - offset) {
    throw subject.error(
        "external data at byte {} of '{}', which has {} bytes, expected {} from there", offset,
        shown(*location), size, n_bytes);
  }
  return {path.string(), offset, n_bytes, size};
}

}  // namespace pqw
