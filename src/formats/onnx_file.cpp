// ONNX models as weight files, and copies of them with other values.
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "formats/formats.h"
#include "formats/onnx_edit.h"
#include "formats/onnx_model.h"
#include "formats/write_order.h"

namespace pqw {
namespace {

class OnnxReader : public WeightReader {
 public:
  explicit OnnxReader(InputFile file) : model_(std::move(file)) {
    for (const OnnxTensor& tensor : model_.tensors) tensors_.push_back(tensor.info);
    stored_as_ = model_.stored_as;
    skipped_ = model_.skipped;
    for (const auto& item : model_.proto->metadata_props()) metadata_[item.key()] = item.value();
    list_files();
  }

  std::vector<std::byte> read(std::size_t index) const override {
    return model_.read(model_.tensors.at(index));
  }

 private:
  void list_files() {
    const auto external = model_.external_files();
    if (external.empty()) return;
    files_ = {model_.file.path()};
    file_bytes_ = model_.file.size();
    for (const auto& [path, n_bytes] : external) {
      files_.push_back(path);
      file_bytes_ += n_bytes;
    }
  }

  const OnnxModel model_;
};

class OnnxCopy : public WeightWriter {
 public:
  OnnxCopy(InputFile original, const std::string& path, std::vector<TensorInfo> tensors,
           const WriteOptions& options)
      : order_(path, std::move(tensors)), edit_(std::move(original), path, options) {
    for (const OnnxTensor& tensor : edit_.model().tensors) {
      by_name_.emplace(tensor.info.name, &tensor);
    }
    for (const TensorInfo& info : order_.tensors()) edit_.change(*by_name_.at(info.name));
    edit_.start();
  }

  void add(std::span<const std::byte> bytes) override {
    const std::size_t index = order_.next(bytes.size());
    edit_.set_values(*by_name_.at(order_.tensors()[index].name), bytes);
  }

  void commit() override {
    order_.require_complete();
    edit_.commit();
  }

 private:
  WriteOrder order_;
  OnnxEdit edit_;
  std::unordered_map<std::string_view, const OnnxTensor*> by_name_;
};

}  // namespace

bool is_onnx(const InputFile& file) { return is_onnx_wire(file); }

std::unique_ptr<WeightReader> open_onnx(InputFile file, const ReadOptions&) {
  return std::make_unique<OnnxReader>(std::move(file));
}

std::unique_ptr<WeightWriter> copy_onnx(InputFile original, const std::string& path,
                                        std::vector<TensorInfo> tensors, const ReadOptions&,
                                        const WriteOptions& options) {
  return std::make_unique<OnnxCopy>(std::move(original), path, std::move(tensors), options);
}

}  // namespace pqw
