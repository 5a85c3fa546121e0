// A copy of an ONNX model with other values, tensors and nodes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "formats/onnx_data_file.h"
#include "formats/onnx_model.h"
#include "formats/onnx_splice.h"

namespace pqw {

// First say what changes, then call start, then give the values; commit ends it. Everything else is
// as in the original, byte for byte. Values in external files, changed or not, go to OUT.data.
// Errors: those of AtomicFile; kInvalidArgument if OUT or OUT.data is a file of the original.
class OnnxEdit {
 public:
  OnnxEdit(InputFile original, const std::string& path, const WriteOptions& options);

  const OnnxModel& model() const { return model_; }
  OnnxDataFile& data() { return data_; }
  OnnxSplice& splice() { return splice_; }

  // The tensor gets other values by set_values. Floats in float_data and the like become raw_data;
  // integers in such fields cannot change.
  void change(const OnnxTensor& tensor);

  // Removes an initializer, with the input of the graph of that name, or a Constant node.
  // REQUIRES: the tensor is one of both.
  void remove(const OnnxTensor& tensor);

  // Writes the copy, with zeros for values that come later.
  void start();

  // REQUIRES: change was called for the tensor; the bytes are those of its shape. Errors: kIo;
  // kUnsupported for integers that cannot change, and differ.
  void set_values(const OnnxTensor& tensor, std::span<const std::byte> bytes);

  void commit();

  // With external data. REQUIRES, for the output: start was called.
  std::uint64_t original_bytes() const;
  std::uint64_t output_bytes() const { return splice_.n_written() + data_.n_bytes(); }

 private:
  onnx::TensorProto whole(const OnnxTensor& tensor) const;
  void move_external(std::size_t index);

  const OnnxModel model_;
  OnnxDataFile data_;
  AtomicFile file_;
  OnnxSplice splice_;
  std::unordered_map<const OnnxTensor*, std::size_t> edits_;
  std::unordered_set<const OnnxTensor*> removed_;
  std::unordered_map<const OnnxTensor*, std::uint64_t> places_;   // in the model or the data file
  std::unordered_map<std::size_t, std::uint64_t> shared_places_;  // by OnnxModel::stored_as
};

}  // namespace pqw
