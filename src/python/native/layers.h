// What the bindings of layers share.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/error.h"
#include "python/native/archive.h"
#include "python/native/gil.h"

namespace pqw::python {

// precision: "exact", "high", "fast"; memory: "codes", "fastest". Errors: kInvalidArgument.
ServeOptions serve_options(const std::string& precision, const std::string& memory);

// make(weight, bias) without the GIL. Its errors get the names of the file and the tensor if the
// weight is a Tensor.
template <class Make>
auto make_layer(pybind11::handle weight, pybind11::handle bias, const Make& make) {
  Weight values = weight_of(weight);
  std::vector<float> bias_values = bias_of(bias);
  const std::string subject = subject_of(weight);
  const WithoutGil release;
  try {
    return make(std::move(values), std::move(bias_values));
  } catch (const Error& error) {
    throw Error(error.code(), subject + error.what());
  }
}

// Layers never change: copy.copy and copy.deepcopy give the layer itself.
template <class Class>
void make_copyable(Class& layer) {
  namespace py = pybind11;
  layer.def("__copy__", [](py::object self) { return self; });
  layer.def(
      "__deepcopy__", [](py::object self, py::handle) { return self; }, py::arg("memo"));
  layer.attr("__module__") = "pqw";
}

void register_layers(pybind11::module_& module);
void register_convolutions(pybind11::module_& module);

}  // namespace pqw::python
