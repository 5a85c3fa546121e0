// An open archive or weight file, and its tensors.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "pqw/codecs/weight.h"
#include "pqw/model/model.h"

namespace pqw::python {

// "./-" for "-", which stands for the standard input in the library; else the path as it is.
std::string file_name(const std::filesystem::path& path);

// A model that can be closed. All functions need the GIL.
class File {
 public:
  File(const std::filesystem::path& path, bool trusted);

  // Errors: ValueError if the file is closed.
  std::shared_ptr<const Model> model() const;

  void close() { model_.reset(); }
  bool is_closed() const { return model_ == nullptr; }

  const std::string& path() const { return path_; }  // absolute
  bool trusted() const { return trusted_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

 private:
  std::string path_;
  bool trusted_;
  std::shared_ptr<const Model> model_;  // null: closed
  std::vector<TensorInfo> tensors_;
};

// A tensor of a file, which stays open while one of its tensors exists, unless it is closed.
struct Tensor {
  std::shared_ptr<File> file;
  std::size_t index = 0;

  const TensorInfo& info() const { return file->tensors()[index]; }
};

// The weight of a layer: a Tensor, or an array of floats. Errors: those of Model::weight and
// float_array.
Weight weight_of(pybind11::handle source);

// "FILE: tensor 'NAME': " for a Tensor, for the messages of layers; "" for an array.
std::string subject_of(pybind11::handle weight);

// The bias of a layer: a Tensor or an array of one dimension, or None. Errors: as above.
std::vector<float> bias_of(pybind11::handle source);

void register_archive(pybind11::module_& module);

}  // namespace pqw::python
