// Errors of the library as exceptions of Python.
#pragma once

#include <pybind11/pybind11.h>

namespace pqw::python {

// Defines FormatError and translates pqw::Error; messages stay as they are:
//   kInvalidArgument, kNonFinite, kNotCarried   ValueError
//   kFormat, kCorrupt, kUnsupported             FormatError, a ValueError
//   kNotFound                                   FileNotFoundError
//   kExists                                     FileExistsError
//   kIo, kBusy, kUnsynced                       OSError
void register_errors(pybind11::module_& module);

}  // namespace pqw::python
