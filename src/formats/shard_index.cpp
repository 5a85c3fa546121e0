// The index of a model in several files.
#include "formats/shard_index.h"

#include <array>
#include <set>
#include <string_view>

#include "formats/json_file.h"

namespace pqw {
namespace {

constexpr std::string_view kWeightMap = "weight_map";
constexpr std::size_t kMaxFiles = 1 << 14;

}  // namespace

std::vector<std::string> ShardIndex::files() const {
  std::set<std::string> names;
  for (const auto& [tensor, file] : file_of) names.insert(file);
  return {names.begin(), names.end()};
}

ShardIndex read_shard_index(const InputFile& file) {
  const Subject subject{file.path()};
  constexpr std::array kKeys{kWeightMap};
  const nlohmann::json object = read_json_object(file, kKeys);
  const auto map = object.find(kWeightMap);
  if (map == object.end()) throw subject.error("weight_map is missing");
  if (!map->is_object()) {
    throw subject.error("weight_map is {}, expected an object", describe_json(*map));
  }
  ShardIndex index;
  for (const auto& [tensor, name] : map->items()) {
    const Subject entry = subject.in("tensor", tensor);
    if (!name.is_string()) {
      throw entry.error("weight_map says {}, expected the name of a file", describe_json(name));
    }
    require_sibling_name(name.get_ref<const std::string&>(), entry);
    index.file_of.emplace(tensor, name.get<std::string>());
  }
  if (index.file_of.empty()) throw subject.error("weight_map is empty");
  if (const std::size_t n = index.files().size(); n > kMaxFiles) {
    throw subject.error("names {} files, expected at most {}", n, kMaxFiles);
  }
  return index;
}

}  // namespace pqw
