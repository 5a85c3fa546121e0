// A tensor as the pickle of a PyTorch file describes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "formats/pickle.h"
#include "formats/torch.h"

namespace pqw {

// Whether the value is a call that makes a tensor, or an array of numpy.
bool makes_tensor(const PickleValue& value);
bool is_numpy_array(const PickleValue& value);

// "'torch.nn.modules.linear.Linear'" of a global, escaped.
std::string class_of(const PickleValue& value);

struct TorchTensorOrNot {
  std::optional<TorchTensor> tensor = {};  // without a name
  std::string_view obstacle = {};          // why not: "is a sparse tensor"
};

// Checks all but whether the storage exists. Errors: kFormat, kUnsupported (a storage).
// REQUIRES: makes_tensor(value).
TorchTensorOrNot read_torch_tensor(const Subject& subject, const PickleValue& value);

struct TorchStorageSize {
  std::uint64_t n_bytes;
  std::size_t element_bytes;

  bool operator==(const TorchStorageSize&) const = default;
};

// All storages that the pickle names, by key. Errors: kFormat, kUnsupported.
std::map<std::string, TorchStorageSize> torch_storage_sizes(const Subject& subject,
                                                            const Pickle& pickle);

}  // namespace pqw
