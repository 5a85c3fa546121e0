// Names of tensors as paths in an HDF5 file.
#include "formats/hdf5_names.h"

#include <set>
#include <string_view>

#include "core/subject.h"
#include "h5/dataset.h"

namespace pqw {
namespace {

// HDF5 reads "a//b", "/a/b" and "./a/b" as "a/b".
bool is_path(std::string_view name) {
  if (name.find('\0') != std::string_view::npos) return false;
  for (;;) {
    const std::size_t slash = name.find('/');
    const std::string_view component = name.substr(0, slash);
    if (component.empty() || component == ".") return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

}  // namespace

std::vector<std::string> groups_of(const std::vector<TensorInfo>& tensors,
                                   const std::string& path) {
  std::set<std::string> names;
  for (const TensorInfo& info : tensors) {
    const Subject subject = Subject{path}.in("tensor", info.name);
    if (!is_path(info.name)) {
      throw subject.error(ErrorCode::kUnsupported,
                          "HDF5 cannot hold this name: a part between slashes is empty or '.', or "
                          "it has a zero byte");
    }
    if (!is_basic(info.dtype)) {
      throw subject.error(ErrorCode::kUnsupported, "HDF5 files cannot hold {}; use .safetensors",
                          dtype_name(info));
    }
    if (info.shape.size() > h5::kMaxRank) {
      throw subject.error(ErrorCode::kUnsupported, "{} dimensions, HDF5 holds at most 32",
                          info.shape.size());
    }
    names.insert(info.name);
  }
  std::set<std::string> groups;  // ascending: "a" comes before "a/b"
  for (const TensorInfo& info : tensors) {
    for (std::size_t slash = info.name.find('/'); slash != std::string::npos;
         slash = info.name.find('/', slash + 1)) {
      std::string group = info.name.substr(0, slash);
      if (names.contains(group)) {
        throw of_tensor(info.name, path)
            .error(ErrorCode::kUnsupported,
                   "lies below tensor '{}', HDF5 cannot hold both under these names", shown(group));
      }
      groups.insert(std::move(group));
    }
  }
  return {groups.begin(), groups.end()};
}

}  // namespace pqw
