// Arrays of numpy as inputs and outputs of layers, and the names of element types.
#include "python/native/arrays.h"

#include <algorithm>
#include <span>
#include <utility>

#include "core/subject.h"

namespace py = pybind11;

namespace pqw::python {
namespace {

constexpr py::ssize_t kFloatBytes = sizeof(float);

bool is_aligned(const py::array& array) {
  return (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
}

bool is_c_ordered(const py::array& array) { return (array.flags() & py::array::c_style) != 0; }

std::string type_of(const py::array& array) { return py::str(array.dtype()); }

py::array converted(const py::array& array, const char* dtype) {
  return array.attr("astype")(dtype, py::arg("order") = "C");
}

// The distance of rows in floats if their elements are adjacent and the rows do not overlap; else 0.
std::size_t row_stride(const py::array& array) {
  const py::ssize_t n_dimensions = array.ndim(), cols = array.shape(n_dimensions - 1);
  if (is_c_ordered(array)) return static_cast<std::size_t>(std::max<py::ssize_t>(cols, 1));
  if (n_dimensions != 2) return 0;
  const py::ssize_t stride = array.strides(0);
  const bool is_adjacent = array.strides(1) == kFloatBytes || cols == 1;
  const bool is_spread = stride >= cols * kFloatBytes && stride % kFloatBytes == 0;
  return is_adjacent && is_spread ? static_cast<std::size_t>(stride / kFloatBytes) : 0;
}

std::size_t row_count(const py::array& array) {
  std::size_t rows = 1;
  for (py::ssize_t i = 0; i + 1 < array.ndim(); ++i)
    rows *= static_cast<std::size_t>(array.shape(i));
  return rows;
}

template <class T>
MatrixView<T> rows_of(T* data, const py::array& array, std::size_t stride) {
  return {data, row_count(array), static_cast<std::size_t>(array.shape(array.ndim() - 1)), stride};
}

// The first byte of an array and the byte after its last one.
std::pair<const char*, const char*> bounds(const py::array& array) {
  const char* first = static_cast<const char*>(array.data());
  const char* last = first;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) {
    if (array.shape(i) == 0) return {first, first};
    const py::ssize_t span = (array.shape(i) - 1) * array.strides(i);
    (span < 0 ? first : last) += span;
  }
  return {first, last + array.itemsize()};
}

bool may_overlap(const py::array& a, const py::array& b) {
  const auto [a_begin, a_end] = bounds(a);
  const auto [b_begin, b_end] = bounds(b);
  return a_begin < b_end && b_begin < a_end;
}

}  // namespace

py::str text(const std::string& bytes) {
  PyObject* const decoded =
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<py::ssize_t>(bytes.size()), "surrogateescape");
  if (decoded == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(decoded);
}

std::string bytes_of_text(const py::str& text) {
  PyObject* const encoded = PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape");
  if (encoded == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::bytes>(encoded);
}

std::string python_dtype(const TensorInfo& info) {
  switch (info.dtype) {
    case DType::kF16:
      return "float16";
    case DType::kBF16:
      return "bfloat16";
    case DType::kF32:
      return "float32";
    case DType::kF64:
      return "float64";
    case DType::kF8E4M3:
      return "float8_e4m3fn";
    case DType::kF8E5M2:
      return "float8_e5m2";
    case DType::kI8:
    case DType::kI16:
    case DType::kI32:
    case DType::kI64:
      return "int" + std::to_string(size_in_bits(info.dtype));
    case DType::kU8:
    case DType::kU16:
    case DType::kU32:
    case DType::kU64:
      return "uint" + std::to_string(size_in_bits(info.dtype));
    case DType::kBool:
      return "bool";
    case DType::kC64:
      return "complex64";
    default:
      return std::string(dtype_name(info));
  }
}

std::string shape_text(const py::array& array) {
  return to_string(std::vector<std::size_t>(array.shape(), array.shape() + array.ndim()));
}

py::array_t<float> float_array(py::handle source, const char* what) {
  if (py::isinstance<py::array_t<float>>(source)) {
    const auto array = py::reinterpret_borrow<py::array_t<float>>(source);
    if (is_aligned(array)) return array;
  }
  const py::array array(py::reinterpret_borrow<py::object>(source));
  const char kind = array.dtype().kind();
  const bool is_float = kind == 'f' || (kind == 'V' && type_of(array) == "bfloat16");
  const bool is_list = !py::isinstance<py::array>(source) && (kind == 'i' || kind == 'u');
  if (!is_float && !is_list) {
    throw invalid_argument("{} has type {}; expected float32, float16 or float64", what,
                           type_of(array));
  }
  return converted(array, "float32");
}

py::array_t<std::int64_t> index_array(py::handle source, const char* what) {
  if (py::isinstance<py::array_t<std::int64_t>>(source)) {
    const auto array = py::reinterpret_borrow<py::array_t<std::int64_t>>(source);
    if (is_aligned(array) && is_c_ordered(array)) return array;
  }
  const py::array array(py::reinterpret_borrow<py::object>(source));
  const char kind = array.dtype().kind();
  const bool is_empty_list = array.size() == 0 && !py::isinstance<py::array>(source);
  if (kind != 'i' && kind != 'u' && !is_empty_list) {
    throw invalid_argument("{} has type {}; expected an integer type", what, type_of(array));
  }
  py::array_t<std::int64_t> indices = converted(array, "int64");
  const std::span values(indices.data(), static_cast<std::size_t>(indices.size()));
  const auto wrapped = std::ranges::find_if(values, [](std::int64_t value) { return value < 0; });
  if (kind == 'u' && wrapped != values.end()) {
    throw invalid_argument("{} holds {}, which is out of range", what,
                           static_cast<std::uint64_t>(*wrapped));
  }
  return indices;
}

py::array_t<float> contiguous(py::array_t<float> array) {
  return is_c_ordered(array) ? std::move(array) : py::array_t<float>(converted(array, "float32"));
}

py::array writable_array(py::handle out, const Dimensions& shape) {
  if (!py::isinstance<py::array>(out)) throw invalid_argument("out is not an array of numpy");
  auto array = py::reinterpret_borrow<py::array>(out);
  if (!std::equal(shape.begin(), shape.end(), array.shape(), array.shape() + array.ndim())) {
    throw invalid_argument("out has shape {}; expected {}", shape_text(array),
                           to_string(std::vector<std::size_t>(shape.begin(), shape.end())));
  }
  if (!array.writeable()) throw invalid_argument("out is read-only");
  return array;
}

InputRows::InputRows(py::array_t<float> array) : array_(std::move(array)) {
  std::size_t stride = row_stride(array_);
  if (stride == 0) {
    array_ = contiguous(std::move(array_));
    stride = row_stride(array_);
  }
  matrix_ = rows_of(array_.data(), array_, stride);
}

Output::Output(py::handle out, const Dimensions& shape, const py::array* input, Order order) {
  if (out.is_none()) {
    values_ = py::array_t<float>(shape);
  } else {
    const py::array given = writable_array(out, shape);
    const bool is_ordered = order == Order::kRows ? row_stride(given) > 0 : is_c_ordered(given);
    const bool is_direct = py::isinstance<py::array_t<float>>(given) && is_aligned(given) &&
                           is_ordered && (input == nullptr || !may_overlap(given, *input));
    if (!is_direct) out_ = given;
    values_ =
        is_direct ? py::reinterpret_borrow<py::array_t<float>>(given) : py::array_t<float>(shape);
  }
  matrix_ = rows_of(values_.mutable_data(), values_, row_stride(values_));
}

py::object Output::finish() const {
  if (out_.is_none()) return values_;
  py::module_::import("numpy").attr("copyto")(out_, values_);
  return out_;
}

}  // namespace pqw::python
