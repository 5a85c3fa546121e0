// Finds the tensors in the pickle of a PyTorch file.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "formats/torch.h"
#include "formats/torch_tensor.h"

namespace pqw {
namespace {

using NodeKind = PickleNode::Kind;

// Checkpoints have some ten levels. A container may be reached in several ways, so what is visited
// is limited, and the names of all that is visited.
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxVisited = kMaxPickleOpcodes;
constexpr std::size_t kMaxNameBytes = std::size_t{64} << 20;

constexpr std::string_view kRootName = "tensor";  // of a tensor that was saved alone

const PickleNode* container_of(const PickleValue& value) {
  for (const NodeKind kind : {NodeKind::kDict, NodeKind::kList, NodeKind::kTuple, NodeKind::kSet}) {
    if (const PickleNode* const node = node_of(value, kind)) return node;
  }
  return nullptr;
}

const PickleValue* find(const PickleNode& dict, std::string_view key) {
  for (std::size_t i = 0; i < dict.items.size(); i += 2) {
    if (text_of(dict.items[i]) == key) return &dict.items[i + 1];
  }
  return nullptr;
}

// As torch.optim.Optimizer.state_dict() gives it.
bool is_optimizer_state(const PickleNode& node) {
  if (node.kind != NodeKind::kDict || node.items.size() != 4) return false;
  const PickleValue* const state = find(node, "state");
  const PickleValue* const groups = find(node, "param_groups");
  return state != nullptr && groups != nullptr && node_of(*state, NodeKind::kDict) != nullptr &&
         node_of(*groups, NodeKind::kList) != nullptr;
}

// The class of an object; in legacy files the class of a module is stored beside its source.
std::string class_of_object(const PickleNode& object) {
  if (const PickleNode* const stored = node_of(object.items[0], NodeKind::kStored)) {
    const PickleNode* const id = node_of(stored->items[0], NodeKind::kTuple);
    if (id != nullptr && id->items.size() > 1) return class_of(id->items[1]);
  }
  if (is_global(object.items[0], "copy_reg", "_reconstructor") ||
      is_global(object.items[0], "copyreg", "_reconstructor")) {
    const PickleNode* const arguments = node_of(object.items[1], NodeKind::kTuple);
    if (!arguments->items.empty()) return class_of(arguments->items[0]);
  }
  return class_of(object.items[0]);
}

// "is a number", for what is neither a tensor nor a container.
std::string describe(const PickleValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return "is None";
  if (std::holds_alternative<PickleText>(value)) return "is text";
  if (std::holds_alternative<PickleBytes>(value)) return "is bytes";
  if (const PickleNode* const object = node_of(value, NodeKind::kObject)) {
    const bool is_number = is_global(object->items[0], "numpy.core.multiarray", "scalar") ||
                           is_global(object->items[0], "numpy._core.multiarray", "scalar");
    return is_number ? "is a number" : "is an object of " + class_of_object(*object);
  }
  if (node_of(value, NodeKind::kGlobal) != nullptr) return "is the name " + class_of(value);
  if (node_of(value, NodeKind::kStored) != nullptr) return "is a storage";
  return container_of(value) == nullptr ? "is a number" : "has no tensors";
}

std::string key_text(const PickleValue& key, std::size_t index) {
  if (const PickleText* const text = std::get_if<PickleText>(&key)) return std::string(text->text);
  if (const std::int64_t* const number = std::get_if<std::int64_t>(&key)) {
    return std::to_string(*number);
  }
  return fmt::format("#{}", index);  // bool, float, tuple, ...
}

// The container of a tensor, and the keys that lead to it. Null: the tensor was saved alone.
struct Home {
  const PickleNode* node;
  std::string path;

  bool operator==(const Home&) const = default;
};

class Finder {
 public:
  explicit Finder(const Subject& subject) : subject_(subject) {}

  TorchContent run(const PickleValue& root) {
    require_tensors(root);
    visit(root, nullptr, 0);
    give_names();
    return std::move(content_);
  }

 private:
  void require_tensors(const PickleValue& root) const {
    if (makes_tensor(root) || container_of(root) != nullptr) return;
    if (node_of(root, NodeKind::kObject) == nullptr) {
      throw subject_.error(ErrorCode::kUnsupported,
                           "the saved object {}; expected a dict of tensors", describe(root));
    }
    throw subject_.error(
        ErrorCode::kUnsupported,
        "the saved object {}, which only its program can read; in Python: import torch; model = "
        "torch.load(IN, weights_only=False); torch.save(model.state_dict(), OUT)",
        describe(root));
  }

  // Visits a value whose parent is `parent` and whose name is path_ from key_at on. Returns whether
  // it holds tensors, or numbers that are left out.
  bool visit(const PickleValue& value, const PickleNode* parent, std::size_t key_at) {
    count_visit(path_.size() + 1);
    if (makes_tensor(value)) return visit_tensor(value, parent, key_at);
    const PickleNode* const node = container_of(value);
    if (node == nullptr) return visit_other(value);
    if (is_optimizer_state(*node)) {
      skip(fmt::format("is the state of an optimizer ({} tensors)", count_tensors(value)), false);
      return true;
    }
    const std::size_t n_skipped = content_.skipped.size();
    if (visit_items(*node)) return true;
    if (parent == nullptr) return false;
    content_.skipped.resize(n_skipped);
    skip("has no tensors", false);
    return false;
  }

  bool visit_items(const PickleNode& node) {
    if (std::ranges::find(open_, &node) != open_.end()) {
      skip("is a part of itself", false);
      return false;
    }
    if (open_.size() == kMaxDepth) {
      throw subject_.error(ErrorCode::kUnsupported, "'{}' is nested deeper than {} levels",
                           shown(path_), kMaxDepth);
    }
    open_.push_back(&node);
    bool found = false;
    const std::size_t path_bytes = path_.size();
    const std::size_t step = node.kind == NodeKind::kDict ? 2 : 1;
    for (std::size_t i = 0; i < node.items.size(); i += step) {
      if (open_.size() > 1) path_ += '.';
      const std::size_t key_at = path_.size();
      path_ += step == 2 ? key_text(node.items[i], i / 2) : std::to_string(i);
      found |= visit(node.items[i + step - 1], &node, key_at);
      path_.resize(path_bytes);
    }
    open_.pop_back();
    if (const std::size_t n = count_tensors(node.state)) {
      skip(fmt::format("has attributes with {} tensors", n), true);
      found = true;
    }
    return found;
  }

  bool visit_tensor(const PickleValue& value, const PickleNode* parent, std::size_t key_at) {
    if (is_numpy_array(value)) {
      skip("is an array of numpy (save torch.from_numpy of it)", true);
      return true;
    }
    TorchTensorOrNot result = read_torch_tensor(subject_.in("tensor", name()), value);
    if (!result.tensor) {
      skip(std::string(result.obstacle), true);
      return true;
    }
    result.tensor->info.name = path_;
    content_.tensors.push_back(std::move(*result.tensor));
    const Home home{parent, path_.substr(0, key_at)};
    if (!home_) home_ = home;
    same_home_ = same_home_ && *home_ == home;
    return true;
  }

  bool visit_other(const PickleValue& value) {
    const std::size_t n = count_tensors(value);
    const bool is_storage = node_of(value, NodeKind::kStored) != nullptr;
    skip(n == 0 ? describe(value)
                : fmt::format("{} with {} tensors ({})", describe(value), n, how_to_save()),
         n > 0 || is_storage);
    return n > 0 || is_storage;
  }

  // What to do with the module at path_.
  std::string how_to_save() const {
    if (open_.size() != 1) return "save its state_dict()";
    return fmt::format(
        "in Python: import torch; saved = torch.load(IN, weights_only=False); "
        "torch.save(saved['{}'].state_dict(), OUT)",
        shown(path_));
  }

  std::string_view name() const { return path_.empty() ? kRootName : path_; }

  void skip(std::string what, bool has_numbers) {
    count_name(what.size());
    content_.skipped.push_back({std::string(name()), std::move(what), has_numbers});
  }

  void count_visit(std::size_t name_bytes) {
    if (++n_visited_ > kMaxVisited) {
      throw subject_.error(ErrorCode::kUnsupported, "the object has more than {} values",
                           kMaxVisited);
    }
    count_name(name_bytes);
  }

  void count_name(std::size_t n_bytes) {
    if (n_bytes > kMaxNameBytes - name_bytes_) {
      throw subject_.error(ErrorCode::kUnsupported, "the object has more than {} bytes of names",
                           kMaxNameBytes);
    }
    name_bytes_ += n_bytes;
  }

  // The tensors and arrays that the values hold, however deep.
  std::size_t count_tensors(std::span<const PickleValue> values) {
    std::size_t n_tensors = 0;
    std::unordered_set<const PickleNode*> known;
    std::vector<PickleValue> left(values.begin(), values.end());
    while (!left.empty()) {
      const PickleValue value = left.back();
      left.pop_back();
      count_visit(1);
      PickleNode* const* const node = std::get_if<PickleNode*>(&value);
      if (node == nullptr || !known.insert(*node).second) continue;
      n_tensors += makes_tensor(value) && !wraps_tensor(**node);
      left.insert(left.end(), (*node)->items.begin(), (*node)->items.end());
      left.insert(left.end(), (*node)->state.begin(), (*node)->state.end());
    }
    return n_tensors;
  }
  std::size_t count_tensors(const PickleValue& value) { return count_tensors({&value, 1}); }

  // A Parameter is counted as the tensor that it wraps.
  static bool wraps_tensor(const PickleNode& object) {
    return is_global(object.items[0], "torch._utils", "_rebuild_parameter");
  }

  void give_names() {
    std::unordered_set<std::string_view> names;
    for (TorchTensor& tensor : content_.tensors) {
      std::string& name = tensor.info.name;
      if (same_home_) name.erase(0, home_->path.size());
      if (home_->node == nullptr) name = kRootName;
      if (!names.insert(name).second) {
        throw subject_.in("tensor", name)
            .error(ErrorCode::kUnsupported, "the file has two tensors of this name");
      }
    }
  }

  const Subject& subject_;
  TorchContent content_;
  std::string path_;                     // keys joined by '.'
  std::vector<const PickleNode*> open_;  // containers that are being visited
  std::optional<Home> home_;             // of the first tensor
  bool same_home_ = true;                // of all tensors
  std::size_t n_visited_ = 0;
  std::size_t name_bytes_ = 0;
};

}  // namespace

TorchContent find_torch_tensors(const Subject& subject, const Pickle& pickle) {
  return Finder(subject).run(pickle.root);
}

}  // namespace pqw
