// What training needs: the values of pq tensors as arrays, and archives with other values.
#pragma once

#include <pybind11/pybind11.h>

namespace pqw::python {

void register_training(pybind11::module_& module);

}  // namespace pqw::python
