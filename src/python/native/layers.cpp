// Linear and Embedding for arrays of numpy.
#include "python/native/layers.h"

#include <pybind11/numpy.h>

#include <utility>

#include "core/subject.h"
#include "pqw/serve/embedding.h"
#include "pqw/serve/linear.h"
#include "python/native/arrays.h"
#include "python/native/gil.h"

namespace py = pybind11;

namespace pqw::python {
namespace {

constexpr const char* kLinearDoc = R"(Linear(weight, bias=None, *, precision="high", memory="codes")

y = x Wᵀ + b, computed from the compressed weight.

weight: a Tensor, or an array of floats, [out_features, in_features].
bias: a Tensor, or an array of floats, [out_features]; or None.
precision: "exact" (as sums of float32), "high" (1e-4 of the norm of y), "fast" (1.5e-2).
memory: "codes", or "fastest", which may also hold the decoded weight.

Layers never change. Any thread may call them; the work is done without the GIL.)";

constexpr const char* kLinearCallDoc = R"(linear(x, out=None) -> numpy.ndarray

x: floats [..., in_features]. Other types than float32 are converted, other orders copied.
out: an array [..., out_features], which is filled and returned.
Returns float32 [..., out_features]. Raises ValueError for other shapes and types.)";

constexpr const char* kEmbeddingDoc = R"(Embedding(weight)

A table of vectors, decoded row by row.

weight: a Tensor, or an array of floats, [num_embeddings, dim].)";

constexpr const char* kEmbeddingCallDoc = R"(embedding(indices, out=None) -> numpy.ndarray

indices: integers of any type and shape, 0 .. num_embeddings - 1.
Returns float32 [*indices.shape, dim], the decoded values. Raises ValueError for other indices.)";

constexpr const char* kBagsDoc = R"(bags(indices, offsets, mode="sum", out=None) -> numpy.ndarray

Sums or means ("mean") of bags of vectors, as torch.nn.EmbeddingBag defines them.

indices: integers [n]. offsets: integers [n_bags], where each bag begins; the first is 0.
Returns float32 [n_bags, dim]; an empty bag gives zeros.)";

py::object call_linear(const Linear& layer, py::handle x, py::handle out) {
  py::array_t<float> array = float_array(x, "x");
  const auto in_features = static_cast<py::ssize_t>(layer.in_features());
  if (array.ndim() == 0 || array.shape(array.ndim() - 1) != in_features) {
    throw invalid_argument("Linear [{}, {}]: x has shape {}; expected [..., {}]",
                           layer.out_features(), in_features, shape_text(array), in_features);
  }
  const InputRows input(std::move(array));
  Dimensions shape(input.array().shape(), input.array().shape() + input.array().ndim());
  shape.back() = static_cast<py::ssize_t>(layer.out_features());
  const Output output(out, shape, &input.array());
  {
    const WithoutGil release;
    layer.forward(input.matrix(), output.matrix());
  }
  return output.finish();
}

std::span<const std::int64_t> values_of(const py::array_t<std::int64_t>& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

py::object call_embedding(const Embedding& layer, py::handle indices, py::handle out) {
  const auto array = index_array(indices, "indices");
  Dimensions shape(array.shape(), array.shape() + array.ndim());
  shape.push_back(static_cast<py::ssize_t>(layer.dim()));
  const Output output(out, shape, nullptr);
  {
    const WithoutGil release;
    layer.forward(values_of(array), output.matrix());
  }
  return output.finish();
}

py::object call_bags(const Embedding& layer, py::handle indices, py::handle offsets,
                     const std::string& mode, py::handle out) {
  if (mode != "sum" && mode != "mean") {
    throw invalid_argument("mode is '{}'; expected sum or mean", shown(mode));
  }
  const auto items = index_array(indices, "indices");
  const auto starts = index_array(offsets, "offsets");
  if (items.ndim() != 1 || starts.ndim() != 1) {
    throw invalid_argument("indices have shape {}, offsets {}; expected one dimension each",
                           shape_text(items), shape_text(starts));
  }
  const Dimensions shape = {starts.shape(0), static_cast<py::ssize_t>(layer.dim())};
  const Output output(out, shape, nullptr);
  {
    const WithoutGil release;
    layer.forward_bags(values_of(items), values_of(starts),
                       mode == "sum" ? BagMode::kSum : BagMode::kMean, output.matrix());
  }
  return output.finish();
}

}  // namespace

ServeOptions serve_options(const std::string& precision, const std::string& memory) {
  ServeOptions options;
  const auto parsed = parse_precision(precision);
  if (!parsed) {
    throw invalid_argument("precision is '{}'; expected exact, high or fast", shown(precision));
  }
  options.precision = *parsed;
  if (memory == to_string(ServeMemory::kFastest)) {
    options.memory = ServeMemory::kFastest;
  } else if (memory != to_string(ServeMemory::kCodes)) {
    throw invalid_argument("memory is '{}'; expected codes or fastest", shown(memory));
  }
  return options;
}

void register_layers(py::module_& module) {
  py::class_<Linear> linear(module, "Linear", kLinearDoc);
  linear
      .def(py::init([](py::handle weight, py::handle bias, const std::string& precision,
                       const std::string& memory) {
             const ServeOptions serve = serve_options(precision, memory);
             return make_layer(weight, bias, [&](Weight&& w, std::vector<float>&& b) {
               return Linear(std::move(w), std::move(b), serve);
             });
           }),
           py::arg("weight"), py::arg("bias") = py::none(), py::kw_only(),
           py::arg("precision") = "high", py::arg("memory") = "codes")
      .def("__call__", &call_linear, py::arg("x"), py::arg("out") = py::none(), kLinearCallDoc)
      .def_property_readonly("in_features", &Linear::in_features)
      .def_property_readonly("out_features", &Linear::out_features)
      .def("describe", &Linear::describe, py::arg("batch") = 1,
           "describe(batch=1) -> str. How a batch of that size is computed, in a few words.")
      .def("__repr__", [](const Linear& layer) {
        return fmt::format("<pqw.Linear [{}, {}]>", layer.out_features(), layer.in_features());
      });
  make_copyable(linear);

  py::class_<Embedding> embedding(module, "Embedding", kEmbeddingDoc);
  embedding
      .def(py::init([](py::handle weight) {
             return make_layer(weight, py::none(), [](Weight&& w, std::vector<float>&&) {
               return Embedding(std::move(w));
             });
           }),
           py::arg("weight"))
      .def("__call__", &call_embedding, py::arg("indices"), py::arg("out") = py::none(),
           kEmbeddingCallDoc)
      .def("bags", &call_bags, py::arg("indices"), py::arg("offsets"), py::arg("mode") = "sum",
           py::arg("out") = py::none(), kBagsDoc)
      .def_property_readonly("num_embeddings", &Embedding::num_embeddings)
      .def_property_readonly("dim", &Embedding::dim)
      .def("__repr__", [](const Embedding& layer) {
        return fmt::format("<pqw.Embedding [{}, {}]>", layer.num_embeddings(), layer.dim());
      });
  make_copyable(embedding);
}

}  // namespace pqw::python
