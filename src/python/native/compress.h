// Compressing whole files, with progress that can cancel.
#pragma once

#include <pybind11/pybind11.h>

namespace pqw::python {

void register_compress(pybind11::module_& module);

}  // namespace pqw::python
