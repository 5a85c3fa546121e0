// Product quantization of arrays: the functions of pqw.ProductQuantizer.
#pragma once

#include <pybind11/pybind11.h>

namespace pqw::python {

void register_quantizer(pybind11::module_& module);

}  // namespace pqw::python
