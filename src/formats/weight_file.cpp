// Opens files of tensors by their content, creates them by their extension.
#include "pqw/formats/weight_file.h"

#include <fmt/format.h>

#include <string_view>
#include <unordered_set>

#include "core/subject.h"
#include "formats/formats.h"
#include "formats/layout_names.h"
#include "formats/model_folder.h"
#include "formats/packed.h"
#include "formats/sharded.h"

namespace pqw {
namespace {

void require_distinct_names(const std::string& path, const std::vector<TensorInfo>& tensors) {
  std::unordered_set<std::string_view> names;
  for (const TensorInfo& info : tensors) {
    if (!names.insert(info.name).second) {
      throw Subject{path}
          .in("tensor", info.name)
          .error(ErrorCode::kInvalidArgument, "the name is given twice");
    }
  }
}

}  // namespace

std::string to_string(const Skipped& skipped) {
  return fmt::format("'{}' {}", shown(skipped.name), skipped.what);
}

std::unique_ptr<WeightReader> open_content(InputFile packed, const ReadOptions& options) {
  const std::string path = packed.path();
  const std::uint64_t n_bytes = packed.size();
  InputFile file = unpacked(std::move(packed));
  if (const Format* const format = find_format(file)) {
    auto reader = format->open(std::move(file), options);
    if (reader->files_.empty()) {
      reader->files_ = {path};
      reader->file_bytes_ = n_bytes;
    }
    return reader;
  }
  const Foreign foreign = describe_foreign(file);
  throw Subject{file.path()}.error(
      foreign.code, "the file is {}; {}", foreign.what,
      foreign.next.empty() ? "expected " + readable_formats() : foreign.next);
}

namespace {

std::unique_ptr<WeightReader> open_file_or_folder(const std::string& path,
                                                  const ReadOptions& options) {
  if (!is_folder(path)) return open_content(InputFile(path), options);
  const FolderWeights weights = find_folder_weights(path);
  if (!weights.index.empty()) return open_content(InputFile(weights.index), options);
  if (weights.files.size() == 1) return open_content(InputFile(weights.files[0]), options);
  return open_shards(path, weights.files, options);
}

}  // namespace

std::unique_ptr<WeightReader> open_weights(const std::string& path, const ReadOptions& options) {
  std::unique_ptr<WeightReader> reader = open_file_or_folder(path, options);
  std::vector<Layout> layouts = layouts_by_name(reader->tensors());
  for (std::size_t i = 0; i < layouts.size(); ++i) reader->set_layout(i, std::move(layouts[i]));
  return reader;
}

std::unique_ptr<WeightWriter> create_weights(const std::string& path,
                                             std::vector<TensorInfo> tensors,
                                             const Metadata& metadata,
                                             const WriteOptions& options) {
  const Format& format = format_of_output(path);
  require_distinct_names(path, tensors);
  return format.create(path, std::move(tensors), metadata, options);
}

}  // namespace pqw
