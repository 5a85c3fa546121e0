// Opens PyTorch files of the format before 1.6.
#include <array>
#include <unordered_map>

#include "formats/byte_order.h"
#include "formats/torch.h"
#include "formats/torch_tensor.h"

namespace pqw {
namespace {

constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";  // little-endian
constexpr std::int64_t kVersion = 1001;
constexpr std::size_t kPickles = 5;

// The pickles at the start, and their bytes. Values of the pickles point into the bytes.
struct Start {
  std::string bytes;
  std::array<Pickle, kPickles> pickles;
  std::uint64_t n_bytes = 0;
};

// Empty if the pickles need more bytes than these.
bool read_pickles(const Subject& subject, Start& start) {
  start.n_bytes = 0;
  for (Pickle& pickle : start.pickles) {
    auto read = read_pickle(subject, std::string_view(start.bytes).substr(start.n_bytes));
    if (!read) return false;
    pickle = std::move(*read);
    start.n_bytes += pickle.n_bytes;
  }
  return true;
}

// Where the pickles end is known only after they are read.
Start read_start(const InputFile& file) {
  const Subject subject{file.path()};
  Start start;
  for (std::size_t most = std::size_t{1} << 20;; most *= 8) {
    start.bytes.resize(std::min<std::uint64_t>(most, file.size()));
    file.read_at(0, std::as_writable_bytes(std::span(start.bytes)));
    if (read_pickles(subject, start)) return start;
    if (most >= file.size()) throw subject.error("the file ends before its pickles end");
    if (most >= kMaxPickleBytes) {
      throw subject.error(ErrorCode::kUnsupported, "the pickles have more than {} bytes",
                          kMaxPickleBytes);
    }
  }
}

void check_system(const Subject& subject, const Start& start) {
  const PickleLong* const magic = std::get_if<PickleLong>(&start.pickles[0].root);
  if (magic == nullptr || magic->bytes != kMagic)
    throw subject.error("the magic number is missing");
  const std::int64_t* const version = std::get_if<std::int64_t>(&start.pickles[1].root);
  if (version == nullptr || *version != kVersion) {
    throw subject.error(ErrorCode::kUnsupported, "the version is not {}", kVersion);
  }
  const PickleNode* const system = node_of(start.pickles[2].root, PickleNode::Kind::kDict);
  if (system == nullptr) throw subject.error("the description of the system is not a dict");
  for (std::size_t i = 0; i < system->items.size(); i += 2) {
    if (text_of(system->items[i]) != "little_endian") continue;
    const bool* const is_little = std::get_if<bool>(&system->items[i + 1]);
    if (is_little == nullptr || !*is_little) {
      throw subject.error(ErrorCode::kUnsupported,
                          "written by a big-endian machine in PyTorch's old format; load it there "
                          "and save it in the format of PyTorch 1.6");
    }
  }
}

class Opener {
 public:
  explicit Opener(const InputFile& file)
      : file_(file), subject_{file.path()}, start_(read_start(file)) {}

  TorchFile open() {
    check_system(subject_, start_);
    const Pickle& object = start_.pickles[3];
    TorchFile opened;
    opened.content = find_torch_tensors(subject_, object);
    find_storages(torch_storage_sizes(subject_, object));
    std::unordered_map<std::string_view, std::size_t> indices;
    for (const TorchTensor& tensor : opened.content.tensors) {
      const auto storage = storages_.find(tensor.key);
      if (storage == storages_.end()) {
        throw subject_.in("tensor", tensor.info.name)
            .error("its storage '{}' is missing", shown(tensor.key));
      }
      const auto [at, is_new] = indices.try_emplace(tensor.key, opened.storages.size());
      if (is_new) opened.storages.push_back(storage->second);
      opened.storage_of.push_back(at->second);
    }
    return opened;
  }

 private:
  // The storages follow one another in the order of their keys.
  void find_storages(const std::map<std::string, TorchStorageSize>& sizes) {
    const PickleNode* const keys = node_of(start_.pickles[4].root, PickleNode::Kind::kList);
    if (keys == nullptr) throw subject_.error("the keys of the storages are not a list");
    std::uint64_t at = start_.n_bytes;
    for (const PickleValue& item : keys->items) {
      const std::string key(text_of(item));
      const Subject subject = subject_.in("storage", key);
      const auto size = sizes.find(key);
      if (size == sizes.end()) throw subject.error("no tensor has this storage");
      const auto [n_bytes, element_bytes] = size->second;
      if (file_.size() - at < sizeof(std::uint64_t) ||
          file_.size() - at - sizeof(std::uint64_t) < n_bytes) {
        throw subject.error("{} bytes at {}, the file has {}", n_bytes, at + sizeof(std::uint64_t),
                            file_.size());
      }
      const auto n = load_little_endian<std::uint64_t>(file_.read(at, sizeof(std::uint64_t)));
      if (n != n_bytes / element_bytes) {
        throw subject.error("{} elements stored, expected {}", n, n_bytes / element_bytes);
      }
      at += sizeof(std::uint64_t);
      if (!storages_.try_emplace(key, TorchStorage{.at = at, .n_bytes = n_bytes}).second) {
        throw subject.error("the storage is listed twice");
      }
      at += n_bytes;
    }
    if (at != file_.size()) {
      throw subject_.error("the storages end at {}, the file has {} bytes", at, file_.size());
    }
  }

  const InputFile& file_;
  const Subject subject_;
  const Start start_;
  std::map<std::string, TorchStorage, std::less<>> storages_;
};

}  // namespace

bool is_torch_legacy(const InputFile& file) {
  constexpr std::size_t kMostBefore = 16;  // protocol, frame, opcode
  const std::vector<std::byte> bytes = file.read_start(kMostBefore + kMagic.size());
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text.size() > 1 && text[0] == '\x80' && text.find(kMagic) != text.npos;
}

TorchFile open_torch_legacy(const InputFile& file) { return Opener(file).open(); }

}  // namespace pqw
