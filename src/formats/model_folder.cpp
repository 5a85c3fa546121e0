// Folders of models: which of their files hold the weights.
#include "formats/model_folder.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string_view>
#include <system_error>

#include "core/subject.h"

namespace pqw {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxEntries = 1 << 16;

}  // namespace

std::vector<std::string> list_folder(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
    if (names.size() > kMaxEntries) {
      throw Subject{folder}.error("holds more than {} files; name the weight file", kMaxEntries);
    }
  }
  if (error) throw Subject{folder}.error(ErrorCode::kIo, "cannot list: {}", error.message());
  std::ranges::sort(names);
  return names;
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool is_regular_file(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

FolderWeights find_folder_weights(const std::string& folder) {
  const std::vector<std::string> names = list_folder(folder);
  const std::string prefix = folder.ends_with('/') ? folder : folder + "/";
  const auto paths_of = [&](const std::function<bool(std::string_view)>& fits) {
    std::vector<std::string> paths;
    for (const std::string& name : names) {
      if (fits(name)) paths.push_back(prefix + name);
    }
    return paths;
  };
  const auto ending = [](const char* end) {
    return [end](std::string_view name) { return name.ends_with(end); };
  };
  const auto index = [&](const char* end) {
    const std::vector<std::string> paths = paths_of(ending(end));
    if (paths.size() > 1) {
      throw Subject{folder}.error("holds the indexes '{}' and '{}'; name the one that counts",
                                  shown(paths[0]), shown(paths[1]));
    }
    return paths.empty() ? std::string() : paths[0];
  };
  if (const std::string path = index(".safetensors.index.json"); !path.empty()) return {path, {}};
  if (const auto paths = paths_of(ending(".safetensors")); !paths.empty()) return {"", paths};
  if (const std::string path = index(".bin.index.json"); !path.empty()) return {path, {}};
  const auto is_bin = [](std::string_view name) {
    return name.starts_with("pytorch_model") && name.ends_with(".bin");
  };
  if (const auto paths = paths_of(is_bin); !paths.empty()) return {"", paths};
  const auto is_tfjs = [](std::string_view name) { return name == "model.json"; };
  if (const auto paths = paths_of(is_tfjs); !paths.empty()) return {paths[0], {}};
  if (std::ranges::find(names, "saved_model.pb") != names.end()) {
    throw Subject{folder}.error(ErrorCode::kUnsupported,
                                "a SavedModel of TensorFlow; convert the model to ONNX, or export "
                                "its weights to safetensors, .npz or HDF5");
  }
  throw Subject{folder}.error(ErrorCode::kNotFound,
                              "a folder without *.safetensors, pytorch_model*.bin or model.json; "
                              "name the weight file");
}

}  // namespace pqw
