// Opens PyTorch files that are zip archives.
#include <algorithm>
#include <unordered_map>

#include "formats/formats.h"
#include "formats/torch.h"

namespace pqw {
namespace {

constexpr std::string_view kPickle = "data.pkl";

// "" for "data.pkl", "model/" for "model/data.pkl"; empty for another member.
std::optional<std::string> folder_of_pickle(const std::string& member) {
  if (!member.ends_with(kPickle)) return std::nullopt;
  const std::string folder = member.substr(0, member.size() - kPickle.size());
  if (!folder.empty() && !folder.ends_with('/')) return std::nullopt;
  return folder;
}

class Opener {
 public:
  explicit Opener(const InputFile& file)
      : file_(file), subject_{file.path()}, zip_(open_zip(file)), places_(zip_places(file, *zip_)) {
    for (const ZipPlace& place : places_) by_name_.emplace(place.name, &place);
  }

  TorchFile open() {
    const std::string folder = find_folder();
    if (by_name_.contains(folder + "constants.pkl")) {
      throw subject_.error(ErrorCode::kUnsupported,
                           "a TorchScript program, not a dict of tensors; in Python: import torch; "
                           "model = torch.jit.load(IN); torch.save(model.state_dict(), OUT)");
    }
    TorchFile opened;
    opened.big_endian = is_big_endian(folder);
    const std::string bytes = read_small(folder + std::string(kPickle), kMaxPickleBytes);
    const auto pickle = read_pickle(subject_.in(kPickle), bytes);
    if (!pickle) throw subject_.error("{} ends before its last opcode", kPickle);
    opened.content = find_torch_tensors(subject_, *pickle);
    std::unordered_map<std::string_view, std::size_t> storages;
    for (const TorchTensor& tensor : opened.content.tensors) {
      const auto [at, is_new] = storages.try_emplace(tensor.key, opened.storages.size());
      if (is_new) opened.storages.push_back(find_storage(folder, tensor));
      require_size(tensor, opened.storages[at->second]);
      opened.storage_of.push_back(at->second);
    }
    opened.zip = std::move(zip_);
    return opened;
  }

 private:
  std::string find_folder() const {
    std::optional<std::string> found;
    for (const ZipPlace& place : places_) {
      const auto folder = folder_of_pickle(place.name);
      if (!folder) continue;
      if (found) {
        throw subject_.error(ErrorCode::kUnsupported, "two members '{}' and '{}', expected one",
                             shown(*found + std::string(kPickle)), shown(place.name));
      }
      found = folder;
    }
    if (!found) throw subject_.error("no member {}", kPickle);
    return *found;
  }

  // A member that is read at once.
  std::string read_small(const std::string& name, std::size_t most_bytes) const {
    const ZipPlace& place = *by_name_.at(name);
    const Subject subject = subject_.in("member", name);
    if (place.n_bytes > most_bytes) {
      throw subject.error(ErrorCode::kUnsupported, "{} bytes, at most {} are allowed",
                          place.n_bytes, most_bytes);
    }
    std::string bytes(place.n_bytes, '\0');
    const ZipFilePtr member = open_member(subject, *zip_, place.index);
    read_member(subject, *member, std::as_writable_bytes(std::span(bytes)));
    finish_member(subject, *member);
    return bytes;
  }

  bool is_big_endian(const std::string& folder) const {
    const std::string name = folder + "byteorder";
    if (!by_name_.contains(name)) return false;
    const std::string order = read_small(name, 16);
    if (order != "little" && order != "big") {
      throw subject_.in("member", name).error("'{}', expected 'little' or 'big'", shown(order));
    }
    return order == "big";
  }

  TorchStorage find_storage(const std::string& folder, const TorchTensor& tensor) const {
    const std::string name = folder + "data/" + tensor.key;
    const auto place = by_name_.find(name);
    if (place == by_name_.end()) {
      throw subject_.in("tensor", tensor.info.name)
          .error("the member '{}' with its storage is missing", shown(name));
    }
    return {
        .at = place->second->data_at, .n_bytes = place->second->n_bytes, .member = *place->second};
  }

  void require_size(const TorchTensor& tensor, const TorchStorage& storage) const {
    if (tensor.storage_bytes == storage.n_bytes) return;
    throw subject_.in("tensor", tensor.info.name)
        .error("its storage '{}' has {} bytes, expected {}", shown(tensor.key), storage.n_bytes,
               tensor.storage_bytes);
  }

  const InputFile& file_;
  const Subject subject_;
  ZipPtr zip_;
  const std::vector<ZipPlace> places_;
  std::unordered_map<std::string_view, const ZipPlace*> by_name_;
};

}  // namespace

bool is_torch_zip(const InputFile& file) {
  if (!is_zip(file)) return false;
  const auto members = zip_members(file);
  return members && std::ranges::any_of(*members, [](const std::string& member) {
           return folder_of_pickle(member).has_value();
         });
}

TorchFile open_torch_zip(const InputFile& file) { return Opener(file).open(); }

}  // namespace pqw
