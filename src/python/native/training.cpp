// What training needs: the values of pq tensors as arrays, and archives with other values.
#include "python/native/training.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "core/permute.h"
#include "core/subject.h"
#include "pqw/pipeline/replace.h"
#include "python/native/archive.h"
#include "python/native/arrays.h"
#include "python/native/gil.h"

namespace py = pybind11;

namespace pqw::python {
namespace {

constexpr const char* kPqValuesDoc = R"(pq_values(tensor) -> PqValues

The values of a tensor of codec pq, as new arrays. Raises ValueError for another codec.)";

constexpr const char* kReplaceDoc =
    R"(replace_values(source, target, values, overwrite=False) -> int

Writes a copy of an archive in which some tensors have other values; returns its size in bytes.
values: by name, the bytes of a plain tensor; or (archive that has the codes, codebooks, row scales
    or None) of a pq tensor.)";

// Arrays in the layouts that training uses.
struct PqArrays {
  Dimensions shape;        // [out, in, kernel...]
  Dimensions permutation;  // dimension i of the tensor in the archive is this one of `shape`
  std::string codebook_type, row_scale_type;
  py::array_t<float> codebooks;       // [additive, groups, centroids, block_size]
  py::object row_scales;              // float32 [rows], or None
  py::array_t<std::int32_t> indices;  // [additive, rows, positions]: rows of `codebooks`
};

py::ssize_t size(std::size_t n) { return static_cast<py::ssize_t>(n); }

const char* type_of(RowScales type) {
  switch (type) {
    case RowScales::kLog8:
      return "log8";
    case RowScales::kF16:
      return "float16";
    case RowScales::kNone:
      break;
  }
  return "";
}

// Row (book * groups + group) * centroids + code of the codebooks, side by side for each row.
py::array_t<std::int32_t> indices_of(const PqWeight& weight) {
  const std::size_t n_positions = weight.positions(), n_rows = weight.rows();
  py::array_t<std::int32_t> indices({size(weight.n_additive), size(n_rows), size(n_positions)});
  const std::vector<std::uint32_t> groups = group_of_positions(weight);
  std::int32_t* to = indices.mutable_data();
  const WithoutGil release;
  for (std::size_t book = 0; book < weight.n_additive; ++book) {
    for (std::size_t r = 0; r < n_rows; ++r) {
      for (std::size_t p = 0; p < n_positions; ++p) {
        const std::size_t codebook = book * weight.n_groups + groups[p];
        const std::size_t code = weight.codes[(book * n_positions + p) * n_rows + r];
        *to++ = static_cast<std::int32_t>(codebook * weight.n_centroids + code);
      }
    }
  }
  return indices;
}

PqArrays pq_values(py::handle tensor) {
  const Weight any = weight_of(tensor);
  const auto* const weight = std::get_if<PqWeight>(&any);
  if (weight == nullptr) {
    throw invalid_argument("{}is stored by codec {}, expected codec pq, which has codebooks",
                           subject_of(tensor), codec_name(any));
  }
  const std::vector<std::size_t>& axes = py::cast<const Tensor&>(tensor).info().layout.axes;
  PqArrays arrays;
  arrays.shape.assign(weight->shape.begin(), weight->shape.end());
  for (std::size_t i = 0; i < weight->shape.size(); ++i) arrays.permutation.push_back(size(i));
  if (!axes.empty()) {
    const std::vector<std::size_t> inverse = inverse_axes(axes);
    arrays.permutation.assign(inverse.begin(), inverse.end());
  }
  arrays.codebook_type = weight->codebook_dtype == DType::kF16 ? "float16" : "float32";
  arrays.row_scale_type = type_of(weight->row_scale_type);
  arrays.codebooks = py::array_t<float>({size(weight->n_additive), size(weight->n_groups),
                                         size(weight->n_centroids), size(weight->block_size)},
                                        weight->codebooks.data());
  arrays.row_scales = py::none();
  if (!weight->row_scales.empty()) {
    arrays.row_scales = py::array_t<float>(size(weight->rows()), weight->row_scales.data());
  }
  arrays.indices = indices_of(*weight);
  return arrays;
}

std::vector<float> floats_of(py::handle source, const char* what) {
  const auto values = contiguous(float_array(source, what));
  return {values.data(), values.data() + values.size()};
}

NewValues new_values(py::handle source) {
  if (py::isinstance<py::bytes>(source)) {
    const auto text = py::cast<std::string_view>(source);
    const auto bytes = std::as_bytes(std::span(text));
    return PlainValues(bytes.begin(), bytes.end());
  }
  const auto [archive, codebooks, scales] =
      py::cast<std::tuple<std::filesystem::path, py::object, py::object>>(source);
  PqValues values{file_name(archive), floats_of(codebooks, "codebooks"), {}};
  if (!scales.is_none()) values.row_scales = floats_of(scales, "row_scales");
  return values;
}

std::uint64_t replace(const std::filesystem::path& source, const std::filesystem::path& target,
                      const py::dict& values, bool overwrite) {
  std::map<std::string, NewValues> converted;
  for (const auto& [name, value] : values) {
    converted.emplace(py::cast<std::string>(name.attr("encode")("utf-8", "surrogateescape")),
                      new_values(value));
  }
  const WithoutGil release;
  return replace_values(file_name(source), file_name(target), converted, {.overwrite = overwrite});
}

}  // namespace

void register_training(py::module_& module) {
  py::class_<PqArrays>(module, "PqValues")
      .def_property_readonly("shape",
                             [](const PqArrays& a) { return py::tuple(py::cast(a.shape)); })
      .def_property_readonly("permutation",
                             [](const PqArrays& a) { return py::tuple(py::cast(a.permutation)); })
      .def_readonly("codebook_type", &PqArrays::codebook_type)
      .def_readonly("row_scale_type", &PqArrays::row_scale_type)
      .def_readonly("codebooks", &PqArrays::codebooks)
      .def_readonly("row_scales", &PqArrays::row_scales)
      .def_readonly("indices", &PqArrays::indices);
  module.def("pq_values", &pq_values, py::arg("tensor"), kPqValuesDoc);
  module.def("replace_values", &replace, py::arg("source"), py::arg("target"), py::arg("values"),
             py::arg("overwrite") = false, kReplaceDoc);
}

}  // namespace pqw::python
