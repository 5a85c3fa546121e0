// Copies of a model in which some tensors have other values.
#include "compress/model_copy.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "core/subject.h"
#include "formats/model_folder.h"

namespace pqw {
namespace {

namespace fs = std::filesystem;

std::string name_in_folder(const std::string& path) { return fs::path(path).filename().string(); }

// "model" of "models/model/".
std::string last_name(const std::string& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

// Formats without templates whose files have nothing but their tensors.
bool is_of_arrays(const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  return extension == ".npy" || extension == ".npz";
}

}  // namespace

ModelCopy::ModelCopy(const std::string& model, const WeightReader& originals,
                     OutputFolder& temporary, const std::string& name, const ReadOptions& reading)
    : model_(model),
      originals_(originals),
      reading_(reading),
      folder_(sidecar_folder(model)),
      root_(
          fs::absolute(temporary.path_of(name + "-" + last_name(folder_.empty() ? model : folder_)))
              .string()),
      path_(root_) {
  if (!folder_.empty()) find_files(temporary, fs::path(root_).filename().string());
  require_copies();
}

void ModelCopy::find_files(OutputFolder& temporary, const std::string& name) {
  const bool has_index = !is_folder(model_);
  if (has_index) path_ = root_ + "/" + name_in_folder(model_);
  // A signal removes what was named before.
  for (const std::string& entry : list_folder(folder_)) (void)temporary.path_of(name + "/" + entry);
  std::map<std::string, std::size_t> places;
  for (const std::string& file : originals_.files()) {
    if (file.ends_with(".index.json")) continue;
    const auto shard = open_weights(file, reading_);
    for (const TensorInfo& info : shard->tensors()) places[info.name] = files_.size();
    files_.push_back(file);
  }
  for (const TensorInfo& info : originals_.tensors()) file_of_.push_back(places.at(info.name));
}

// Begins the copy of each file, and drops it.
void ModelCopy::require_copies() {
  const WriteOptions overwrite{.overwrite = true};
  if (!folder_.empty()) {
    fs::create_directory(root_);
    for (const std::string& file : files_) {
      (void)create_copy(file, root_ + "/" + name_in_folder(file), {}, reading_, overwrite);
    }
    return remove();
  }
  if (!is_of_arrays(model_)) {
    (void)create_copy(model_, root_, {}, reading_, overwrite);
    return;
  }
  if (!originals_.skipped().empty()) {
    throw Subject{model_}.error(ErrorCode::kUnsupported,
                                "{}, which a copy would not have; save its tensors alone",
                                to_string(originals_.skipped().front()));
  }
  (void)create_weights(root_, originals_.tensors(), {}, overwrite);
}

void ModelCopy::write(std::span<const std::size_t> tensors, const NewValues& values) {
  if (!folder_.empty()) return write_folder(tensors, values);
  if (is_of_arrays(model_)) return write_arrays(tensors, values);
  write_copy(model_, root_, tensors, values);
}

void ModelCopy::write_arrays(std::span<const std::size_t> tensors, const NewValues& values) {
  const auto writer = create_weights(root_, originals_.tensors(), {}, {.overwrite = true});
  for (std::size_t i = 0; i < originals_.tensors().size(); ++i) {
    writer->add(std::ranges::binary_search(tensors, i) ? values(i) : originals_.read(i));
  }
  writer->commit();
}

void ModelCopy::write_copy(const std::string& file, const std::string& to,
                           std::span<const std::size_t> tensors, const NewValues& values) const {
  std::vector<TensorInfo> infos;
  for (const std::size_t i : tensors) infos.push_back(originals_.tensors()[i]);
  const CopyWriter copy = create_copy(file, to, std::move(infos), reading_, {.overwrite = true});
  for (const std::size_t i : tensors) copy.writer->add(values(i));
  copy.writer->commit();
}

void ModelCopy::write_folder(std::span<const std::size_t> tensors, const NewValues& values) {
  remove();
  fs::create_directory(root_);
  std::map<std::string, std::vector<std::size_t>> changed;  // by the name of the file
  for (const std::size_t i : tensors) changed[name_in_folder(files_[file_of_[i]])].push_back(i);
  for (const std::string& entry : list_folder(folder_)) {
    const std::string from = fs::absolute(folder_ + "/" + entry).string(), to = root_ + "/" + entry;
    const auto found = changed.find(entry);
    if (found == changed.end()) {
      fs::create_symlink(from, to);
    } else {
      write_copy(from, to, found->second, values);
    }
  }
}

void ModelCopy::remove() const noexcept {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

}  // namespace pqw
