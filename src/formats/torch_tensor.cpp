// Reads a tensor from the pickle of a PyTorch file.
#include "formats/torch_tensor.h"

#include <limits>

#include "formats/torch_types.h"

namespace pqw {
namespace {

using NodeKind = PickleNode::Kind;
using Values = std::vector<PickleValue>;

constexpr std::size_t kMaxRank = 64;  // of PyTorch

std::uint64_t natural(const Subject& subject, std::string_view what, const PickleValue& value) {
  const std::int64_t* const number = std::get_if<std::int64_t>(&value);
  if (number == nullptr || *number < 0) {
    throw subject.error("its {}: expected whole numbers from 0 to 2^63 - 1", what);
  }
  return static_cast<std::uint64_t>(*number);
}

std::vector<std::uint64_t> naturals(const Subject& subject, std::string_view what,
                                    const PickleValue& value) {
  const PickleNode* const tuple = node_of(value, NodeKind::kTuple);
  if (tuple == nullptr) throw subject.error("its {} is not a tuple", what);
  if (tuple->items.size() > kMaxRank) {
    throw subject.error("its {} has {} numbers, PyTorch allows {}", what, tuple->items.size(),
                        kMaxRank);
  }
  std::vector<std::uint64_t> numbers;
  for (const PickleValue& item : tuple->items) numbers.push_back(natural(subject, what, item));
  return numbers;
}

struct StorageId {
  const TorchType* type;
  std::string_view key;
  std::uint64_t n_bytes;
};

// Reads ("storage", class, key, device, number of elements[, None]).
StorageId storage_id(const Subject& subject, const PickleNode& stored) {
  const PickleNode* const id = node_of(stored.items[0], NodeKind::kTuple);
  if (id == nullptr || id->items.size() < 5 || id->items.size() > 6) {
    throw subject.error("the id of its storage is not a tuple of 5 or 6 values");
  }
  const Values& items = id->items;
  const TorchType* const type = torch_storage_type(items[1]);
  if (type == nullptr) {
    throw subject.error(ErrorCode::kUnsupported, "its storage has the unknown class {}",
                        class_of(items[1]));
  }
  const std::string_view key = text_of(items[2]);
  if (key.empty()) throw subject.error("the key of its storage is not text");
  if (items.size() == 6 && !std::holds_alternative<std::monostate>(items[5])) {
    throw subject.error(ErrorCode::kUnsupported,
                        "its storage is a part of another one, as PyTorch before 0.4 wrote them; "
                        "load the file and save it again");
  }
  const std::uint64_t n_elements = natural(subject, "number of stored elements", items[4]);
  if (n_elements > std::numeric_limits<std::int64_t>::max() / type->bytes) {
    throw subject.error("its storage has {} elements", n_elements);
  }
  return {type, key, n_elements * type->bytes};
}

const PickleNode* global_of(const PickleValue& value) { return node_of(value, NodeKind::kGlobal); }

bool is_of_torch(const PickleNode& global) {
  const std::string_view module = text_of(global.items[0]);
  return module == "torch._utils" || module == "torch._tensor" || module == "torch.tensor";
}

// A call of a function of PyTorch with its arguments.
struct Call {
  std::string_view function;
  const PickleNode* arguments;
};

std::optional<Call> call_of(const PickleValue& function, const PickleValue& arguments) {
  const PickleNode* const global = global_of(function);
  const PickleNode* const tuple = node_of(arguments, NodeKind::kTuple);
  if (global == nullptr || tuple == nullptr || !is_of_torch(*global)) return std::nullopt;
  return Call{text_of(global->items[1]), tuple};
}

// Removes what wraps a tensor and does not change its values: Parameter, and attributes.
std::optional<Call> rebuilding(const PickleValue& value) {
  constexpr int kMostWrappers = 8;
  const PickleNode* object = node_of(value, NodeKind::kObject);
  if (object == nullptr) return std::nullopt;
  std::optional<Call> call = call_of(object->items[0], object->items[1]);
  for (int i = 0; i < kMostWrappers && call; ++i) {
    const Values& arguments = call->arguments->items;
    const std::string_view function = call->function;
    if (function.starts_with("_rebuild_parameter") && !arguments.empty()) {
      object = node_of(arguments[0], NodeKind::kObject);
      if (object == nullptr) return call;
      call = call_of(object->items[0], object->items[1]);
    } else if (function.starts_with("_rebuild_from_type") && arguments.size() == 4) {
      const bool is_plain = is_global(arguments[1], "torch", "Tensor") ||
                            is_global(arguments[1], "torch._tensor", "Tensor") ||
                            is_global(arguments[1], "torch.nn.parameter", "Parameter") ||
                            is_global(arguments[1], "torch.nn.parameter", "Buffer");
      if (!is_plain) return call;
      call = call_of(arguments[0], arguments[2]);
    } else {
      return call;
    }
  }
  return call;
}

// Why a tensor that this function makes has no values that pqw reads.
std::string_view obstacle_in(std::string_view function) {
  if (function.starts_with("_rebuild_sparse")) return "is a sparse tensor (save its to_dense())";
  if (function == "_rebuild_qtensor") return "is a quantized tensor (save its dequantize())";
  if (function.starts_with("_rebuild_meta")) return "is a meta tensor, which has no values";
  if (function.starts_with("_rebuild_nested")) return "is a nested tensor (save its parts)";
  return "is a tensor of a class that only its program can read (save it as a plain tensor)";
}

// Whether the metadata of a tensor say that its values are to be conjugated or negated.
bool is_lazy(const PickleValue& metadata) {
  const PickleNode* const dict = node_of(metadata, NodeKind::kDict);
  if (dict == nullptr) return false;
  for (const PickleValue& value : dict->items) {
    const bool* const flag = std::get_if<bool>(&value);
    if (flag != nullptr && *flag) return true;
  }
  return false;
}

// The number of elements of a view that lies within its storage.
std::size_t check_view(const Subject& subject, const TorchTensor& tensor) {
  const StridedView& view = tensor.view;
  const auto needed = storage_elements(view);
  const std::uint64_t held = tensor.storage_bytes / tensor.element_bytes;
  if (!needed || *needed > held) {
    throw subject.error(
        "shape {} at {} with strides {} reaches beyond the {} elements of its storage",
        to_string(view.shape), view.offset,
        to_string(std::vector<std::size_t>(view.strides.begin(), view.strides.end())), held);
  }
  const auto count = checked_element_count(view.shape);
  if (!count || *count > INT64_MAX / tensor.element_bytes) {
    throw subject.error("shape {} has too many elements", to_string(view.shape));
  }
  return *count;
}

TorchTensorOrNot make_tensor(const Subject& subject, const Call& call) {
  const Values& arguments = call.arguments->items;
  const bool has_dtype = call.function == "_rebuild_tensor_v3";
  if (arguments.size() < (has_dtype ? 7u : 4u)) {
    throw subject.error("{} has {} arguments", call.function, arguments.size());
  }
  const std::size_t metadata_at = has_dtype ? 7 : 6;
  if (arguments.size() > metadata_at && is_lazy(arguments[metadata_at])) {
    return {.obstacle = "is a conjugated or negated view (save its resolve_conj().resolve_neg())"};
  }
  const PickleNode* const stored = node_of(arguments[0], NodeKind::kStored);
  if (stored == nullptr) throw subject.error("it has no storage");
  const StorageId storage = storage_id(subject, *stored);
  const TorchType* const type = has_dtype ? torch_dtype(arguments[6]) : storage.type;
  if (type == nullptr || (type->dtype == DType::kUnknown && type->unknown.empty())) {
    return {.obstacle = "has an element type that pqw does not read (save it as another type)"};
  }
  TorchTensorOrNot result;
  TorchTensor& tensor = result.tensor.emplace();
  tensor.key = storage.key;
  tensor.storage_bytes = storage.n_bytes;
  tensor.element_bytes = type->bytes;
  tensor.number_bytes = type->number_bytes;
  const std::vector<std::uint64_t> shape = naturals(subject, "shape", arguments[2]);
  tensor.view = {.offset = natural(subject, "offset", arguments[1]),
                 .shape = Shape(shape.begin(), shape.end()),
                 .strides = naturals(subject, "strides", arguments[3])};
  if (tensor.view.strides.size() != shape.size()) {
    throw subject.error("{} strides, its shape has rank {}", tensor.view.strides.size(),
                        shape.size());
  }
  const std::size_t count = check_view(subject, tensor);
  if (count > 0 && may_overlap(tensor.view)) {
    return {.obstacle = "is a view whose elements overlap (clone it before saving)"};
  }
  tensor.info.dtype = type->dtype;
  tensor.info.shape = tensor.view.shape;
  if (!type->unknown.empty()) {
    tensor.info.unknown = {std::string(type->unknown), count * type->bytes};
  }
  return result;
}

}  // namespace

std::string class_of(const PickleValue& value) {
  const PickleNode* const global = global_of(value);
  if (global == nullptr) return "of no name";
  return fmt::format("'{}.{}'", shown(text_of(global->items[0])), shown(text_of(global->items[1])));
}

bool makes_tensor(const PickleValue& value) {
  const PickleNode* const object = node_of(value, NodeKind::kObject);
  if (object == nullptr) return false;
  const PickleNode* const global = global_of(object->items[0]);
  if (global == nullptr) return false;
  return (is_of_torch(*global) && text_of(global->items[1]).starts_with("_rebuild_")) ||
         is_numpy_array(value);
}

bool is_numpy_array(const PickleValue& value) {
  const PickleNode* const object = node_of(value, NodeKind::kObject);
  if (object == nullptr) return false;
  const PickleNode* const global = global_of(object->items[0]);
  return global != nullptr && text_of(global->items[0]).starts_with("numpy.") &&
         text_of(global->items[1]) != "scalar" && text_of(global->items[1]).starts_with("_recon");
}

TorchTensorOrNot read_torch_tensor(const Subject& subject, const PickleValue& value) {
  const auto call = rebuilding(value);
  const bool is_dense =
      call && (call->function == "_rebuild_tensor" || call->function == "_rebuild_tensor_v2" ||
               call->function == "_rebuild_tensor_v3");
  if (!is_dense) return {.obstacle = obstacle_in(call ? call->function : "")};
  return make_tensor(subject, *call);
}

std::map<std::string, TorchStorageSize> torch_storage_sizes(const Subject& subject,
                                                            const Pickle& pickle) {
  std::map<std::string, TorchStorageSize> sizes;
  for (const PickleNode& node : pickle.nodes) {
    if (node.kind != NodeKind::kStored) continue;
    const PickleNode* const id = node_of(node.items[0], NodeKind::kTuple);
    if (id == nullptr || id->items.empty() || text_of(id->items[0]) != "storage") continue;
    const StorageId storage = storage_id(subject, node);
    const TorchStorageSize size{storage.n_bytes, storage.type->bytes};
    const auto [at, is_new] = sizes.try_emplace(std::string(storage.key), size);
    if (!is_new && at->second != size) {
      throw subject.error("storage '{}' has {} bytes and also {}", shown(storage.key),
                          at->second.n_bytes, size.n_bytes);
    }
  }
  return sizes;
}

}  // namespace pqw
