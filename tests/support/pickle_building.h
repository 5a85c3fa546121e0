// Pickles and PyTorch files put together by hand, right or wrong in any part. A value is the text
// of the opcodes that push it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/formats/zip_building.h"

namespace pqw::test {

using PickledValues = std::vector<std::string>;

inline std::string joined(const PickledValues& values) {
  std::string all;
  for (const std::string& value : values) all += value;
  return all;
}

inline std::string py_text(const std::string& text) { return "X" + u32(text.size()) + text; }
inline std::string py_int(std::int64_t number) {
  return std::string("\x8a\x08") + u64(static_cast<std::uint64_t>(number));
}
inline const std::string kPyNone = "N", kPyTrue = "\x88", kPyFalse = "\x89", kPyEmptyDict = "}";

inline std::string py_tuple(const PickledValues& items) { return "(" + joined(items) + "t"; }
inline std::string py_list(const PickledValues& items) { return "](" + joined(items) + "e"; }
inline std::string py_ints(const std::vector<std::int64_t>& numbers) {
  PickledValues items;
  for (const std::int64_t number : numbers) items.push_back(py_int(number));
  return py_tuple(items);
}

using PickledItems = std::vector<std::pair<std::string, std::string>>;  // key as it is, value
inline std::string py_dict(const PickledItems& items) {
  std::string all = "}(";
  for (const auto& [key, value] : items) all += py_text(key) + value;
  return all + "u";
}

inline std::string py_global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string py_call(const std::string& callable, const PickledValues& arguments) {
  return callable + py_tuple(arguments) + "R";
}
inline std::string py_ordered_dict(const PickledItems& items) {
  std::string all = py_call(py_global("collections", "OrderedDict"), {}) + "(";
  for (const auto& [key, value] : items) all += py_text(key) + value;
  return all + "u";
}
inline std::string pickled(const std::string& value) { return "\x80\x02" + value + "."; }

// A tensor of a storage. Fields that are not set are those of a whole, contiguous tensor.
struct PickledTensor {
  std::string key;
  std::vector<std::int64_t> shape;
  std::string type = "Float";
  std::int64_t n_stored = 1;
  std::int64_t offset = 0;
  std::vector<std::int64_t> strides = {};
  PickledValues more_of_id = {};  // after the five values of the id of the storage

  std::string storage() const {
    return py_tuple({py_text("storage"), py_global("torch", type + "Storage"), py_text(key),
                     py_text("cpu"), py_int(n_stored), joined(more_of_id)}) +
           "Q";
  }
  PickledValues arguments() const {
    return {storage(),        py_int(offset), py_ints(shape),
            py_ints(strides), kPyFalse,       py_ordered_dict({})};
  }
  std::string value() const {
    return py_call(py_global("torch._utils", "_rebuild_tensor_v2"), arguments());
  }
};

// A whole, contiguous tensor.
inline PickledTensor whole_tensor(const std::string& key, const std::vector<std::int64_t>& shape,
                                  const std::string& type = "Float") {
  PickledTensor tensor{.key = key, .shape = shape, .type = type};
  tensor.strides.resize(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    tensor.strides[i] = tensor.n_stored;
    tensor.n_stored *= shape[i];
  }
  return tensor;
}

using TorchStorages = std::vector<std::pair<std::string, std::string>>;  // key, bytes

inline std::vector<ZipMember> torch_members(const std::string& object,
                                            const TorchStorages& storages) {
  std::vector<ZipMember> members{{.name = "m/data.pkl", .stored = pickled(object)}};
  for (const auto& [key, bytes] : storages) {
    members.push_back({.name = "m/data/" + key, .stored = bytes});
  }
  members.push_back({.name = "m/version", .stored = "3\n"});
  return members;
}

inline std::string torch_zip(const std::string& object, const TorchStorages& storages) {
  return zip_of(torch_members(object, storages));
}

inline const std::string kTorchMagic =
    pickled(std::string("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"));

// `storages` with the number of their elements before their bytes.
inline std::string torch_legacy(const std::string& object, const TorchStorages& storages,
                                const std::string& little_endian = kPyTrue) {
  PickledValues keys;
  std::string data;
  for (const auto& [key, bytes] : storages) {
    keys.push_back(py_text(key));
    data += bytes;
  }
  return kTorchMagic + pickled(py_int(1001)) +
         pickled(py_dict({{"protocol_version", py_int(1001)}, {"little_endian", little_endian}})) +
         pickled(object) + pickled(py_list(keys)) + data;
}

}  // namespace pqw::test
