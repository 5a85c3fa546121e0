// Copies of weight files in which some tensors have other values.
#include <algorithm>
#include <span>
#include <string_view>
#include <unordered_map>

#include "core/subject.h"
#include "formats/formats.h"
#include "formats/model_folder.h"
#include "io/different_files.h"

namespace pqw {
namespace {

void require_fitting_extension(const std::string& original, const Format& format,
                               const std::string& path) {
  const std::string extension = extension_of(path), own = extension_of(original);
  const auto has = [&](const std::vector<std::string>& list) {
    return std::ranges::find(list, extension) != list.end();
  };
  const bool fits = extension == own || has(format.extensions) || has(format.copied);
  if (fits) return;
  throw Subject{path}.error(
      ErrorCode::kInvalidArgument,
      "extension '{}', but the template {} is {}; expected the extension '{}'", shown(extension),
      shown(original), format.file, shown(own));
}

// Marks the tensors of the original that get new values, each at most once.
class Replaced {
 public:
  explicit Replaced(const std::vector<TensorInfo>& originals) : originals_(originals) {
    for (const TensorInfo& info : originals) names_.emplace(info.name, &info);
  }

  void add(const std::string& original, const TensorInfo& info) {
    const Subject subject = Subject{original, ErrorCode::kInvalidArgument}.in("tensor", info.name);
    const auto found = names_.find(info.name);
    if (found == names_.end()) throw subject.error("the template does not have this tensor");
    if (found->second == nullptr) throw subject.error("the name is given twice");
    const TensorInfo& there = *found->second;
    if (there.dtype != info.dtype || there.unknown != info.unknown || there.shape != info.shape) {
      throw subject.error("the template has {} of shape {}, the archive {} of shape {}",
                          dtype_name(there), to_string(there.shape), dtype_name(info),
                          to_string(info.shape));
    }
    found->second = nullptr;
  }

  std::vector<std::string> kept() const {
    std::vector<std::string> names;
    for (const TensorInfo& info : originals_) {
      if (names_.at(info.name) != nullptr) names.push_back(info.name);
    }
    return names;
  }

 private:
  const std::vector<TensorInfo>& originals_;
  std::unordered_map<std::string_view, const TensorInfo*> names_;  // null: replaced
};

}  // namespace

std::vector<std::string> check_template(const std::string& original, const Format& format,
                                        const std::vector<TensorInfo>& originals,
                                        const std::string& path,
                                        const std::vector<TensorInfo>& tensors) {
  require_fitting_extension(original, format, path);
  Replaced replaced(originals);
  for (const TensorInfo& info : tensors) replaced.add(original, info);
  return replaced.kept();
}

CopyWriter create_copy(const std::string& original, const std::string& path,
                       std::vector<TensorInfo> tensors, const ReadOptions& reading,
                       const WriteOptions& options) {
  require_different_files(std::span(&original, 1), path);
  const auto reader = open_weights(original, reading);
  require_different_files(reader->files(), path);
  const Subject subject{original, ErrorCode::kUnsupported};
  if (is_folder(original)) {
    throw subject.error(
        "a folder cannot be a template; name an output that ends in '/' to get a folder: -o OUT/");
  }
  InputFile file(original);
  const Format* const format = find_format(file);
  if (format == nullptr) {  // open_weights unpacked it
    const Foreign packed = describe_foreign(file);
    throw subject.error("a template cannot be {}; {}", packed.what, packed.next);
  }
  if (format->copy == nullptr) {
    throw subject.error("{} cannot be a template; expected {}; {} outputs need no template",
                        format->file, template_formats(), listed(writable_extensions()));
  }
  std::vector<std::string> kept =
      check_template(original, *format, reader->tensors(), path, tensors);
  return {format->copy(std::move(file), path, std::move(tensors), reading, options),
          std::move(kept)};
}

}  // namespace pqw
