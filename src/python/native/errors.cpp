// Errors of the library as exceptions of Python.
#include "python/native/errors.h"

#include <exception>

#include "pqw/core/error.h"

namespace py = pybind11;

namespace pqw::python {
namespace {

constexpr const char* kFormatErrorDoc =
    "A file breaks the rules of its format, is damaged, or needs a later version of pqw.";

PyObject* format_error = nullptr;  // lives as long as the interpreter

PyObject* exception_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kFormat:
    case ErrorCode::kCorrupt:
    case ErrorCode::kUnsupported:
      return format_error;
    case ErrorCode::kNotFound:
      return PyExc_FileNotFoundError;
    case ErrorCode::kExists:
      return PyExc_FileExistsError;
    case ErrorCode::kIo:
    case ErrorCode::kBusy:
    case ErrorCode::kUnsynced:
      return PyExc_OSError;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNonFinite:
    case ErrorCode::kNotCarried:
      break;
  }
  return PyExc_ValueError;
}

}  // namespace

void register_errors(py::module_& module) {
  format_error =
      PyErr_NewExceptionWithDoc("pqw.FormatError", kFormatErrorDoc, PyExc_ValueError, nullptr);
  if (format_error == nullptr) throw py::error_already_set();
  module.add_object("FormatError", py::reinterpret_borrow<py::object>(format_error));
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const Error& caught) {
      PyErr_SetString(exception_of(caught.code()), caught.what());
    }
  });
}

}  // namespace pqw::python
