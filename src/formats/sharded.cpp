// Models in several files: the tensors of all of them.
#include "formats/sharded.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/subject.h"
#include "formats/formats.h"
#include "formats/json_file.h"

namespace pqw {
namespace {

class ShardedReader : public WeightReader {
 public:
  ShardedReader(const std::string& path, std::span<const std::string> files,
                const ReadOptions& options, const ShardIndex* index, std::uint64_t index_bytes)
      : path_(path) {
    for (const std::string& file : files) add(file, options);
    if (index != nullptr) {
      compare(*index);
      files_.push_back(path);
      file_bytes_ += index_bytes;
    }
    shard_of_name_.clear();
  }

  std::size_t stored_as(std::size_t index) const override {
    const Shard& shard = shard_of(index);
    return shard.begin + shard.reader->stored_as(index - shard.begin);
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const Shard& shard = shard_of(index);
    return shard.reader->read(index - shard.begin);
  }

 private:
  struct Shard {
    std::string name;       // of the file in its folder
    std::size_t begin = 0;  // the index of its first tensor
    std::unique_ptr<WeightReader> reader;
  };

  // The last shard that begins at or before the tensor: earlier ones that begin there are empty.
  const Shard& shard_of(std::size_t index) const {
    return *(std::ranges::upper_bound(shards_, index, {}, &Shard::begin) - 1);
  }

  Subject tensor(const std::string& name) const { return Subject{path_}.in("tensor", name); }

  void add(const std::string& file, const ReadOptions& options) {
    InputFile input(file);
    if (const Format* format = find_format(input); format != nullptr && format->names_files) {
      throw Subject{file}.error("is {}, expected a file that holds tensors", format->file);
    }
    Shard shard{file.substr(file.rfind('/') + 1), tensors_.size(),
                open_content(std::move(input), options)};
    for (const TensorInfo& info : shard.reader->tensors()) {
      const auto [other, is_new] = shard_of_name_.emplace(info.name, shards_.size());
      if (!is_new) {
        throw tensor(info.name).error("is in '{}' and in '{}'; name the file that counts",
                                      shown(shards_[other->second].name), shown(shard.name));
      }
      tensors_.push_back(info);
    }
    const auto& skipped = shard.reader->skipped();
    skipped_.insert(skipped_.end(), skipped.begin(), skipped.end());
    for (const auto& [key, value] : shard.reader->metadata()) {
      if (metadata_.emplace(key, value).first->second == value) continue;
      skipped_.push_back({key, "is metadata that differs in '" + shown(shard.name) + "'"});
    }
    files_.insert(files_.end(), shard.reader->files().begin(), shard.reader->files().end());
    file_bytes_ += shard.reader->file_bytes();
    shards_.push_back(std::move(shard));
  }

  void compare(const ShardIndex& index) const {
    for (const auto& [name, file] : index.file_of) {
      const auto found = shard_of_name_.find(name);
      if (found == shard_of_name_.end()) {
        throw tensor(name).error("weight_map says '{}', which does not hold it", shown(file));
      }
      const std::string& holder = shards_[found->second].name;
      if (holder != file) {
        throw tensor(name).error("weight_map says '{}', but '{}' holds it", shown(file),
                                 shown(holder));
      }
    }
  }

  const std::string path_;
  std::vector<Shard> shards_;
  std::unordered_map<std::string, std::size_t> shard_of_name_;  // while opening
};

}  // namespace

std::unique_ptr<WeightReader> open_shards(const std::string& path,
                                          std::span<const std::string> files,
                                          const ReadOptions& options, const ShardIndex* index,
                                          std::uint64_t index_bytes) {
  return std::make_unique<ShardedReader>(path, files, options, index, index_bytes);
}

bool is_shard_index(const InputFile& file) { return is_json_with(file, "\"weight_map\""); }

std::unique_ptr<WeightReader> open_shard_index(InputFile file, const ReadOptions& options) {
  const ShardIndex index = read_shard_index(file);
  std::vector<std::string> paths;
  for (const std::string& name : index.files()) paths.push_back(sibling_of(file, name));
  return open_shards(file.path(), paths, options, &index, file.size());
}

}  // namespace pqw
