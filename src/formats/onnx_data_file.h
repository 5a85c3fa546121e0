// The file of external data that belongs to an ONNX model which is written.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <optional>
#include <string>

#include "pqw/io/atomic_file.h"

namespace pqw {

// The data of OUT.onnx is in OUT.onnx.data beside it. It is created at the first place that is
// asked for, and committed before the model.
class OnnxDataFile {
 public:
  OnnxDataFile(const std::string& model, const WriteOptions& options);

  // A place for bytes, which starts at a multiple of 4096 (mapped files need this), as entries of
  // `tensor`. Returns its offset. Errors: those of AtomicFile.
  std::uint64_t place(std::uint64_t n_bytes, onnx::TensorProto& tensor);

  // The offset of a place that two tensors share.
  void place_at(std::uint64_t offset, std::uint64_t n_bytes, onnx::TensorProto& tensor) const;

  const std::string& path() const { return path_; }
  std::uint64_t n_bytes() const { return end_; }  // 0 if there is no file
  AtomicFile& file() { return *file_; }
  void commit();

 private:
  std::string path_;
  std::string location_;  // as the model names it
  WriteOptions options_;
  std::optional<AtomicFile> file_;
  std::uint64_t end_ = 0;
};

}  // namespace pqw
