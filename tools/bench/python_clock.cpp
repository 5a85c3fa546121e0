// A module for tools/bench/python.py: times calls of Linear from C++, in the process of Python.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <string>
#include <vector>

#include "pqw/model/model.h"

namespace py = pybind11;

namespace {

using Array = py::array_t<float, py::array::c_style>;

class LinearClock {
 public:
  LinearClock(const std::string& path, const std::string& weight, const std::string& precision)
      : layer_(pqw::Model(path).linear(weight, "",
                                       {.precision = pqw::parse_precision(precision).value()})) {}

  // y = x Wᵀ, `n` times. Returns the seconds of each call.
  std::vector<double> forward(const Array& x, Array& y, std::size_t n) const {
    using Clock = std::chrono::steady_clock;
    const auto batch = static_cast<std::size_t>(x.shape(0));
    const pqw::ConstMatrix inputs(x.data(), batch, layer_.in_features());
    const pqw::MutableMatrix outputs(y.mutable_data(), batch, layer_.out_features());
    std::vector<double> seconds(n);
    for (double& one : seconds) {
      const auto start = Clock::now();
      layer_.forward(inputs, outputs);
      one = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return seconds;
  }

 private:
  pqw::Linear layer_;
};

}  // namespace

PYBIND11_MODULE(pqw_bench_python, module) {
  py::class_<LinearClock>(module, "LinearClock")
      .def(py::init<std::string, std::string, std::string>())
      .def("forward", &LinearClock::forward);
}
