// An open archive or weight file, and its tensors.
#include "python/native/archive.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "core/subject.h"
#include "python/native/arrays.h"
#include "python/native/gil.h"

namespace py = pybind11;

namespace pqw::python {
namespace {

constexpr const char* kFileDoc = R"(File(path, trusted=False)

An open archive or weight file. pqw.open gives its tensors by name.
`trusted` parses HDF5 in this process; use it only for files whose origin you know.)";

constexpr const char* kTensorDoc = R"(A tensor of a file that pqw.open opened.

It holds no values: decode() reads them. numpy.asarray(tensor) decodes, too. Pickles hold the path
of the file and the name of the tensor.)";

constexpr const char* kDecodeDoc = R"(decode(dtype=None, out=None) -> numpy.ndarray

The values as an array with the shape of the tensor.

dtype: "float16", "float32", "float64", or "bfloat16", which gives uint16 with the bits; None: the
    type of `out`, else the own type of the tensor, and float32 for bfloat16.
out: an array of that shape and type with any strides; it is filled and returned.

Raises ValueError for a type that the tensor cannot be converted to, and for another shape.)";

std::optional<DType> numpy_dtype(const py::dtype& dtype) {
  if (dtype.byteorder() == '>') return std::nullopt;
  const std::size_t bits = 8 * static_cast<std::size_t>(dtype.itemsize());
  switch (dtype.kind()) {
    case 'b':
      return DType::kBool;
    case 'f':
      return dtype_from_string("F" + std::to_string(bits));
    case 'i':
      return dtype_from_string("I" + std::to_string(bits));
    case 'u':
      return dtype_from_string("U" + std::to_string(bits));
    case 'c':
      return bits == 64 ? std::optional(DType::kC64) : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::string subject_of(const Tensor& tensor) {
  return tensor.file->path() + ": " + quoted("tensor", tensor.info().name);
}

std::string text_of(py::handle object) { return py::str(object); }

// The type that the caller of decode wants, and the type of its array, which for bfloat16 is uint16.
struct ArrayType {
  DType dtype;
  py::dtype array;
};

ArrayType wanted_type(const Tensor& tensor, py::handle dtype, py::handle out) {
  const std::string own = python_dtype(tensor.info());
  std::string name;
  if (!dtype.is_none()) {
    const bool is_bfloat16 = py::isinstance<py::str>(dtype) && text_of(dtype) == "bfloat16";
    const auto object = py::reinterpret_borrow<py::object>(dtype);
    name = is_bfloat16 ? "bfloat16" : text_of(py::dtype::from_args(object));
  } else if (!out.is_none()) {
    name = text_of(py::reinterpret_borrow<py::array>(out).dtype());
  } else {
    name = own == "bfloat16" ? "float32" : own;
  }
  if (name == "bfloat16") return {DType::kBF16, py::dtype::of<std::uint16_t>()};
  try {
    const auto array = py::dtype(name);
    if (const auto found = numpy_dtype(array)) return {*found, array};
  } catch (const py::error_already_set&) {  // not a type of numpy
  }
  if (!dtype.is_none() || !out.is_none()) {
    throw invalid_argument(
        "{}: cannot be decoded as {}; expected a type of numpy for numbers, in the byte order of "
        "this machine",
        subject_of(tensor), shown(name));
  }
  throw invalid_argument("{}: numpy has no type {}; tobytes() gives the bytes", subject_of(tensor),
                         shown(name));
}

py::object decode(const Tensor& tensor, py::handle dtype, py::handle out) {
  const Shape& shape = tensor.info().shape;
  const Dimensions dimensions(shape.begin(), shape.end());
  py::array values;
  if (!out.is_none()) values = writable_array(out, dimensions);
  const ArrayType type = wanted_type(tensor, dtype, out);
  if (out.is_none()) values = py::array(type.array, dimensions);
  if (!values.dtype().equal(type.array)) {
    throw invalid_argument("out has type {}; expected {}", text_of(values.dtype()),
                           text_of(type.array));
  }
  const std::vector<std::ptrdiff_t> strides(values.strides(), values.strides() + values.ndim());
  const StridedBuffer buffer{static_cast<std::byte*>(values.mutable_data()), type.dtype, strides};
  const auto model = tensor.file->model();
  {
    const WithoutGil release;
    model->decode_to(tensor.info().name, buffer);
  }
  return values;
}

py::bytes bytes_of(const Tensor& tensor) {
  const auto model = tensor.file->model();
  std::vector<std::byte> bytes;
  {
    const WithoutGil release;
    bytes = model->read(tensor.info().name);
  }
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::size_t element_count_of(const Tensor& tensor) { return element_count(tensor.info().shape); }

py::tuple axes_of(const Tensor& tensor) {
  std::vector<std::size_t> axes = tensor.info().layout.axes;
  for (std::size_t i = axes.size(); i < tensor.info().shape.size(); ++i) axes.push_back(i);
  return py::tuple(py::cast(axes));
}

std::uint64_t stored_bytes(const Tensor& tensor) {
  return tensor.file->model()->stored_bytes(tensor.info().name);
}

double bits_per_weight(const Tensor& tensor) {
  const std::size_t n = element_count_of(tensor);
  return n == 0 ? 0 : 8 * static_cast<double>(stored_bytes(tensor)) / static_cast<double>(n);
}

py::object as_array(const Tensor& tensor, py::handle dtype) {
  py::object values = decode(tensor, py::none(), py::none());
  return dtype.is_none() ? values : values.attr("astype")(dtype, py::arg("copy") = false);
}

std::vector<Tensor> tensors_of(const std::shared_ptr<File>& file) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < file->tensors().size(); ++i) tensors.push_back({file, i});
  return tensors;
}

Tensor tensor_named(const std::shared_ptr<File>& file, const py::str& wanted) {
  const std::string name = bytes_of_text(wanted);
  const auto found = std::ranges::find(file->tensors(), name, &TensorInfo::name);
  if (found == file->tensors().end()) {
    throw py::key_error(file->path() + ": no tensor is named '" + shown(name) + "'");
  }
  return {file, static_cast<std::size_t>(found - file->tensors().begin())};
}

}  // namespace

std::string file_name(const std::filesystem::path& path) {
  return path == "-" ? "./-" : path.string();
}

File::File(const std::filesystem::path& path, bool trusted) : trusted_(trusted) {
  std::error_code error;  // for an empty path, and without a working directory
  path_ = std::filesystem::absolute(path, error).string();
  if (error) path_ = path.string();
  const WithoutGil release;
  model_ = std::make_shared<const Model>(file_name(path), ReadOptions{.trusted = trusted});
  tensors_ = model_->tensors();
}

std::shared_ptr<const Model> File::model() const {
  if (is_closed()) throw invalid_argument("{}: the file is closed", shown(path_));
  return model_;
}

Weight weight_of(py::handle source) {
  if (py::isinstance<Tensor>(source)) {
    const Tensor& tensor = py::cast<const Tensor&>(source);
    const auto model = tensor.file->model();
    const WithoutGil release;
    return model->weight(tensor.info().name);
  }
  const auto values = contiguous(float_array(source, "weight"));
  const auto bytes =
      std::as_bytes(std::span(values.data(), static_cast<std::size_t>(values.size())));
  PlainWeight weight;
  weight.shape.assign(values.shape(), values.shape() + values.ndim());
  weight.bytes.assign(bytes.begin(), bytes.end());
  return weight;
}

std::vector<float> bias_of(py::handle source) {
  if (source.is_none()) return {};
  if (py::isinstance<Tensor>(source)) {
    const Tensor& tensor = py::cast<const Tensor&>(source);
    const auto model = tensor.file->model();
    const WithoutGil release;
    return model->decode(tensor.info().name);
  }
  const auto values = contiguous(float_array(source, "bias"));
  if (values.ndim() != 1) {
    throw invalid_argument("bias has shape {}; expected one dimension", shape_text(values));
  }
  return {values.data(), values.data() + values.size()};
}

std::string subject_of(py::handle weight) {
  return py::isinstance<Tensor>(weight) ? subject_of(py::cast<const Tensor&>(weight)) + ": " : "";
}

void register_archive(py::module_& module) {
  py::class_<File, std::shared_ptr<File>>(module, "File", kFileDoc)
      .def(py::init<const std::filesystem::path&, bool>(), py::arg("path"),
           py::arg("trusted") = false)
      .def("close", &File::close, "close() -> None. Tensors of a closed file cannot be decoded.")
      .def("tensors", &tensors_of, "tensors() -> list[Tensor], in the order of the file.")
      .def("__getitem__", &tensor_named, py::arg("name"))
      .def_property_readonly("closed", &File::is_closed)
      .def_property_readonly("path", [](const File& file) { return text(file.path()); })
      .def_property_readonly("trusted", &File::trusted)
      .def_property_readonly("metadata",
                             [](const File& file) {
                               py::dict texts;
                               for (const auto& [key, value] : file.model()->metadata()) {
                                 texts[text(key)] = text(value);
                               }
                               return texts;
                             })
      .def("__reduce__", [](py::handle self) {
        return py::make_tuple(py::type::of(self),
                              py::make_tuple(self.attr("path"), self.attr("trusted")));
      });

  py::class_<Tensor>(module, "Tensor", kTensorDoc)
      .def_property_readonly("name", [](const Tensor& tensor) { return text(tensor.info().name); })
      .def_property_readonly(
          "shape", [](const Tensor& tensor) { return py::tuple(py::cast(tensor.info().shape)); })
      .def_property_readonly(
          "ndim", [](const Tensor& t) { return t.info().shape.size(); }, "Number of dimensions.")
      .def_property_readonly("size", &element_count_of, "Number of elements.")
      .def_property_readonly(
          "dtype", [](const Tensor& tensor) { return python_dtype(tensor.info()); },
          "Type of the original, by the name of numpy or PyTorch: \"float32\", \"bfloat16\".")
      .def_property_readonly(
          "codec", [](const Tensor& t) { return t.file->model()->codec(t.info().name); },
          "\"pq\", \"int8\", \"tcq\", \"low_rank\", \"tensorized\", or \"plain\": the values as "
          "they were.")
      .def_property_readonly(
          "kind", [](const Tensor& t) { return std::string(to_string(t.info().layout.kind)); },
          "The layer of the tensor: \"linear\", \"conv\", \"embedding\", ..., or \"unknown\".")
      .def_property_readonly("axes", &axes_of,
                             "The dimensions of the tensor that are out, in, kernel... in turn.")
      .def_property_readonly("stored_bytes", &stored_bytes, "Bytes that the file stores for it.")
      .def_property_readonly("bits_per_weight", &bits_per_weight,
                             "8 * stored_bytes / size; 0 if there are no elements.")
      .def_property_readonly("file", [](const Tensor& tensor) { return tensor.file; })
      .def("decode", &decode, py::arg("dtype") = py::none(), py::arg("out") = py::none(),
           kDecodeDoc)
      .def("tobytes", &bytes_of,
           "tobytes() -> bytes. The values in their own type, row-major and little-endian.")
      .def("__array__", &as_array, py::arg("dtype") = py::none())
      .def("__repr__",
           [](const Tensor& tensor) {
             return text(fmt::format("<pqw.Tensor '{}' {} {}, {}>", shown(tensor.info().name),
                                     to_string(tensor.info().shape), python_dtype(tensor.info()),
                                     tensor.file->is_closed()
                                         ? "closed"
                                         : tensor.file->model()->codec(tensor.info().name)));
           })
      .def("__reduce__", [](const Tensor& tensor) {
        return py::make_tuple(py::module_::import("operator").attr("getitem"),
                              py::make_tuple(tensor.file, text(tensor.info().name)));
      });
}

}  // namespace pqw::python
