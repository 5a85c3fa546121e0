// The element types of PyTorch.
#include "formats/torch_types.h"

#include <algorithm>
#include <initializer_list>

namespace pqw {
namespace {

constexpr DType kNone = DType::kUnknown;

constexpr TorchType kTypes[] = {
    {"HalfStorage", "float16", DType::kF16, "", 2, 2},
    {"BFloat16Storage", "bfloat16", DType::kBF16, "", 2, 2},
    {"FloatStorage", "float32", DType::kF32, "", 4, 4},
    {"DoubleStorage", "float64", DType::kF64, "", 8, 8},
    {"CharStorage", "int8", DType::kI8, "", 1, 1},
    {"ByteStorage", "uint8", DType::kU8, "", 1, 1},
    {"ShortStorage", "int16", DType::kI16, "", 2, 2},
    {"IntStorage", "int32", DType::kI32, "", 4, 4},
    {"LongStorage", "int64", DType::kI64, "", 8, 8},
    {"BoolStorage", "bool", DType::kBool, "", 1, 1},
    {"ComplexFloatStorage", "complex64", DType::kC64, "", 8, 4},
    {"ComplexDoubleStorage", "complex128", kNone, "C128", 16, 8},
    {"UntypedStorage", "", DType::kU8, "", 1, 1},
    {"QInt8Storage", "", kNone, "", 1, 1},
    {"QUInt8Storage", "", kNone, "", 1, 1},
    {"QUInt4x2Storage", "", kNone, "", 1, 1},
    {"QUInt2x4Storage", "", kNone, "", 1, 1},
    {"QInt32Storage", "", kNone, "", 4, 4},
    {"", "uint16", DType::kU16, "", 2, 2},
    {"", "uint32", DType::kU32, "", 4, 4},
    {"", "uint64", DType::kU64, "", 8, 8},
    {"", "float8_e4m3fn", DType::kF8E4M3, "", 1, 1},
    {"", "float8_e5m2", DType::kF8E5M2, "", 1, 1},
    {"", "float8_e4m3fnuz", DType::kF8E4M3Fnuz, "", 1, 1},
    {"", "float8_e5m2fnuz", DType::kF8E5M2Fnuz, "", 1, 1},
    {"", "float8_e8m0fnu", DType::kF8E8M0, "", 1, 1},
};

// The type whose `member` is the name of the global, if that is of one of the modules.
const TorchType* find(const PickleValue& value, std::initializer_list<std::string_view> modules,
                      std::string_view TorchType::*member) {
  const PickleNode* const global = node_of(value, PickleNode::Kind::kGlobal);
  if (global == nullptr) return nullptr;
  const std::string_view module = text_of(global->items[0]);
  const std::string_view name = text_of(global->items[1]);
  if (name.empty() || std::ranges::find(modules, module) == modules.end()) return nullptr;
  const auto* const type = std::ranges::find(kTypes, name, member);
  return type == std::end(kTypes) ? nullptr : type;
}

}  // namespace

const TorchType* torch_storage_type(const PickleValue& storage_class) {
  return find(storage_class, {"torch", "torch.cuda", "torch.storage"}, &TorchType::storage);
}

const TorchType* torch_dtype(const PickleValue& dtype) {
  return find(dtype, {"torch"}, &TorchType::name);
}

}  // namespace pqw
