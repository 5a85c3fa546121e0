// Convolutions for arrays of numpy.
#include <pybind11/numpy.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "core/subject.h"
#include "pqw/serve/convolution.h"
#include "python/native/arrays.h"
#include "python/native/gil.h"
#include "python/native/layers.h"

namespace py = pybind11;

namespace pqw::python {
namespace {

constexpr const char* kDoc =
    R"({0}(weight, bias=None, *, {1}, precision="high", memory="codes")

A convolution as torch.nn.{0} defines it, computed from the compressed weight.

weight: a Tensor, or an array of floats, {2}.
bias: a Tensor, or an array of floats, [out]; or None.
{3}
precision, memory: as in Linear.)";

constexpr const char* kCallDoc = R"(conv(x, out=None) -> numpy.ndarray

x: floats [..., channels, {0}]. Other types than float32 are converted.
out: an array of the shape of the result, which is filled and returned.
Returns float32 [..., out_channels, {0}]. Raises ValueError for other shapes and types.)";

constexpr const char* kWindow = "stride=1, padding=0, dilation=1, groups=1";
constexpr const char* kTransposedWindow = "stride=1, padding=0, output_padding=0, dilation=1";

// A size of a window: an int; with several axes also one int for each of them.
std::size_t size_of(py::handle value, const char* name, const std::string& expected) {
  try {
    return py::cast<std::size_t>(value);
  } catch (const py::cast_error&) {
    throw invalid_argument("{} is {}; expected {}", name, std::string(py::repr(value)), expected);
  }
}

void set(std::size_t& size, py::handle value, const char* name) {
  const bool is_single = py::isinstance<py::sequence>(value) && py::len(value) == 1;
  size = size_of(
      is_single ? py::object(value[py::int_(0)]) : py::reinterpret_borrow<py::object>(value), name,
      "an int of 0 or more");
}

template <std::size_t n>
void set(std::array<std::size_t, n>& sizes, py::handle value, const char* name) {
  const std::string expected = fmt::format("an int of 0 or more, or {} of them", n);
  if (!py::isinstance<py::sequence>(value)) {
    sizes.fill(size_of(value, name, expected));
    return;
  }
  if (py::len(value) != n) {
    throw invalid_argument("{} is {}; expected {}", name, std::string(py::repr(value)), expected);
  }
  for (std::size_t i = 0; i < n; ++i) sizes[i] = size_of(value[py::int_(i)], name, expected);
}

using Axes = std::vector<std::size_t>;  // channels and the axes of the image

void set_shape(SequenceShape& shape, std::size_t batch, const Axes& a) {
  shape = {batch, a[0], a[1]};
}
void set_shape(ImageShape& shape, std::size_t batch, const Axes& a) {
  shape = {batch, a[0], a[1], a[2]};
}
void set_shape(VolumeShape& shape, std::size_t batch, const Axes& a) {
  shape = {batch, a[0], a[1], a[2], a[3]};
}
Axes axes_of(const SequenceShape& s) { return {s.channels, s.length}; }
Axes axes_of(const ImageShape& s) { return {s.channels, s.height, s.width}; }
Axes axes_of(const VolumeShape& s) { return {s.channels, s.depth, s.height, s.width}; }

template <class Options, class InputShape>
struct Binding {
  using Layer = Convolution<Options, InputShape>;

  const char* name;
  const char* axes;  // "height, width"

  // The axes of the input from its shape; all dimensions before them are the batch.
  InputShape input_shape(const py::array& x) const {
    const auto n_axes = static_cast<py::ssize_t>(axes_of(InputShape()).size());
    if (x.ndim() < n_axes) {
      throw invalid_argument("{}: x has shape {}; expected [..., channels, {}]", name,
                             shape_text(x), axes);
    }
    std::size_t batch = 1;
    const py::ssize_t first = x.ndim() - n_axes;
    for (py::ssize_t i = 0; i < first; ++i) batch *= static_cast<std::size_t>(x.shape(i));
    InputShape shape;
    set_shape(shape, batch, Axes(x.shape() + first, x.shape() + x.ndim()));
    return shape;
  }

  py::object call(const Layer& layer, py::handle x, py::handle out) const {
    const auto input = contiguous(float_array(x, "x"));
    const InputShape shape = input_shape(input);
    const InputShape result_shape = layer.output_shape(shape);
    const Axes result_axes = axes_of(result_shape);
    Dimensions dimensions(input.shape(), input.shape() + input.ndim());
    std::copy(result_axes.begin(), result_axes.end(),
              dimensions.end() - static_cast<std::ptrdiff_t>(result_axes.size()));
    const Output output(out, dimensions, &input, Output::Order::kAdjacent);
    {
      const WithoutGil release;
      layer.forward({input.data(), shape.size()}, shape, {output.data(), result_shape.size()});
    }
    return output.finish();
  }

  // `define` adds the constructor.
  template <class Define>
  void add_to(py::module_& module, const char* window, const char* weight, const char* text,
              const Define& define) const {
    const std::string doc = fmt::format(fmt::runtime(kDoc), name, window, weight, text);
    const std::string call_doc = fmt::format(fmt::runtime(kCallDoc), axes);
    py::class_<Layer> layer(module, name, doc.c_str());
    define(layer);
    layer.def(
        "__call__",
        [binding = *this](const Layer& self, py::handle x, py::handle out) {
          return binding.call(self, x, out);
        },
        py::arg("x"), py::arg("out") = py::none(), call_doc.c_str());
    layer.def("__repr__", [name = name](const Layer&) { return fmt::format("<pqw.{}>", name); });
    make_copyable(layer);
  }
};

template <class Layer, class Options>
Layer make_convolution(py::handle weight, py::handle bias, const Options& options,
                       const std::string& precision, const std::string& memory) {
  const ServeOptions serve = serve_options(precision, memory);
  return make_layer(weight, bias, [&](Weight&& values, std::vector<float>&& bias_values) {
    return Layer(std::move(values), std::move(bias_values), options, serve);
  });
}

template <class Options, class InputShape>
void add_convolution(py::module_& module, const char* name, const char* axes, const char* weight) {
  using Layer = Convolution<Options, InputShape>;
  const char* sizes = "stride, padding, dilation: an int, or one for each axis.";
  Binding<Options, InputShape>{name, axes}.add_to(
      module, kWindow, weight, sizes, [](py::class_<Layer>& layer) {
        layer.def(py::init([](py::handle w, py::handle bias, py::handle stride, py::handle padding,
                              py::handle dilation, std::size_t groups, const std::string& precision,
                              const std::string& memory) {
                    Options options;
                    set(options.stride, stride, "stride");
                    set(options.padding, padding, "padding");
                    set(options.dilation, dilation, "dilation");
                    options.groups = groups;
                    return make_convolution<Layer>(w, bias, options, precision, memory);
                  }),
                  py::arg("weight"), py::arg("bias") = py::none(), py::kw_only(),
                  py::arg("stride") = 1, py::arg("padding") = 0, py::arg("dilation") = 1,
                  py::arg("groups") = 1, py::arg("precision") = "high",
                  py::arg("memory") = "codes");
      });
}

template <class Options, class InputShape>
void add_transposed(py::module_& module, const char* name, const char* axes, const char* weight) {
  using Layer = Convolution<Options, InputShape>;
  const char* sizes = "stride, padding, output_padding, dilation: an int, or one for each axis.";
  Binding<Options, InputShape>{name, axes}.add_to(
      module, kTransposedWindow, weight, sizes, [](py::class_<Layer>& layer) {
        layer.def(py::init([](py::handle w, py::handle bias, py::handle stride, py::handle padding,
                              py::handle output_padding, py::handle dilation,
                              const std::string& precision, const std::string& memory) {
                    Options options;
                    set(options.stride, stride, "stride");
                    set(options.padding, padding, "padding");
                    set(options.output_padding, output_padding, "output_padding");
                    set(options.dilation, dilation, "dilation");
                    return make_convolution<Layer>(w, bias, options, precision, memory);
                  }),
                  py::arg("weight"), py::arg("bias") = py::none(), py::kw_only(),
                  py::arg("stride") = 1, py::arg("padding") = 0, py::arg("output_padding") = 0,
                  py::arg("dilation") = 1, py::arg("precision") = "high",
                  py::arg("memory") = "codes");
      });
}

}  // namespace

void register_convolutions(py::module_& module) {
  add_convolution<Conv1dOptions, SequenceShape>(module, "Conv1d", "length", "[out, in/groups, k]");
  add_convolution<Conv2dOptions, ImageShape>(module, "Conv2d", "height, width",
                                             "[out, in/groups, kh, kw]");
  add_convolution<Conv3dOptions, VolumeShape>(module, "Conv3d", "depth, height, width",
                                              "[out, in/groups, kd, kh, kw]");
  add_transposed<ConvTranspose1dOptions, SequenceShape>(
      module, "ConvTranspose1d", "length",
      "in the order [out, in, k]; tensors of files are brought into it");
  add_transposed<ConvTranspose2dOptions, ImageShape>(
      module, "ConvTranspose2d", "height, width",
      "in the order [out, in, kh, kw]; tensors of files are brought into it");
}

}  // namespace pqw::python
