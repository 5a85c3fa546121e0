// The element types of PyTorch.
#pragma once

#include <cstddef>
#include <string_view>

#include "formats/pickle.h"
#include "pqw/core/dtype.h"

namespace pqw {

struct TorchType {
  std::string_view storage;  // the class of storages; empty: they are untyped
  std::string_view name;     // of the dtype; empty: only storages have it
  DType dtype;
  std::string_view unknown;  // the name of a type that is kUnknown; empty: tensors do not have it
  std::size_t bytes;         // of an element
  std::size_t number_bytes;  // half of an element if that is complex
};

// The type of a storage, by its class, and the type of that dtype. Null if there is none.
const TorchType* torch_storage_type(const PickleValue& storage_class);
const TorchType* torch_dtype(const PickleValue& dtype);

}  // namespace pqw
