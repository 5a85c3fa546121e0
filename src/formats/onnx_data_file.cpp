// The file of external data that belongs to an ONNX model which is written.
#include "formats/onnx_data_file.h"

#include <filesystem>

namespace pqw {
namespace {

constexpr std::uint64_t kAlignment = 4096;

void add_entry(onnx::TensorProto& tensor, const char* key, const std::string& value) {
  auto* const entry = tensor.add_external_data();
  entry->set_key(key);
  entry->set_value(value);
}

}  // namespace

OnnxDataFile::OnnxDataFile(const std::string& model, const WriteOptions& options)
    : path_(model + ".data"),
      location_(std::filesystem::path(path_).filename().string()),
      options_(options) {}

std::uint64_t OnnxDataFile::place(std::uint64_t n_bytes, onnx::TensorProto& tensor) {
  if (!file_) file_.emplace(path_, options_);
  const std::uint64_t offset = (end_ + kAlignment - 1) / kAlignment * kAlignment;
  end_ = offset + n_bytes;
  place_at(offset, n_bytes, tensor);
  return offset;
}

void OnnxDataFile::place_at(std::uint64_t offset, std::uint64_t n_bytes,
                            onnx::TensorProto& tensor) const {
  tensor.clear_external_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  add_entry(tensor, "location", location_);
  add_entry(tensor, "offset", std::to_string(offset));
  add_entry(tensor, "length", std::to_string(n_bytes));
}

void OnnxDataFile::commit() {
  if (file_) file_->commit();
}

}  // namespace pqw
