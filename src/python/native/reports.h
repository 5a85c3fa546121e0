// Reports on whole files, and the functions that only read files.
#pragma once

#include <pybind11/pybind11.h>

namespace pqw::python {

void register_reports(pybind11::module_& module);

}  // namespace pqw::python
