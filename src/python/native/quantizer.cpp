// Product quantization of arrays: the functions of pqw.ProductQuantizer.
#include "python/native/quantizer.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "codecs/pq/train/assign.h"
#include "codecs/pq/train/gain.h"
#include "codecs/pq/train/groups.h"
#include "core/subject.h"
#include "pqw/codecs/encode.h"
#include "pqw/codecs/pq.h"
#include "python/native/arrays.h"
#include "python/native/gil.h"

namespace py = pybind11;

namespace pqw::python {
namespace {

using Codebooks = py::array_t<float, py::array::c_style | py::array::forcecast>;  // [G, K, d]
using Codes = py::array_t<std::uint16_t, py::array::c_style | py::array::forcecast>;

InputRows rows_of(py::handle source, const char* what) {
  InputRows rows(float_array(source, what));
  if (rows.array().ndim() == 2) return rows;
  throw invalid_argument("{} has shape {}; expected [rows, columns]", what,
                         shape_text(rows.array()));
}

// Refuses what makes codes depend on more than a block and a codebook.
PqOptions options_of(const Settings& settings) {
  PqOptions options = std::get<PqOptions>(options_from(settings));
  if (options.row_scales != RowScales::kNone || options.n_additive > 1 || options.lambda > 0) {
    throw invalid_argument(
        "ProductQuantizer does not support row_scales, additive and lambda; use pqw.compress");
  }
  return options;
}

py::array_t<float> codebooks_of(const PqWeight& weight) {
  py::array_t<float> array(Dimensions{static_cast<py::ssize_t>(weight.n_groups),
                                      static_cast<py::ssize_t>(weight.n_centroids),
                                      static_cast<py::ssize_t>(weight.block_size)});
  std::ranges::copy(weight.codebooks, array.mutable_data());
  return array;
}

// The codebooks before and after the gain. Codes belong to the first, values to the second.
py::tuple fit(py::handle w, const Settings& settings) {
  const InputRows rows = rows_of(w, "W");
  PqOptions options = options_of(settings);
  PqWeight learned, gained;
  {
    const WithoutGil release;
    const ConstMatrix matrix = rows.matrix();
    PqCodec::resolve(options, Shape{matrix.rows(), matrix.cols()});
    PqOptions without_gain = options;
    without_gain.gain = Gain::kNone;
    const PqPrepared prepared =
        prepare_blocks(cut_blocks(matrix, options.block_size), without_gain);
    learned = PqCodec::encode(prepared, without_gain, {});
    gained = learned;
    apply_gain(prepared.blocks, {}, options, gained);
  }
  return py::make_tuple(codebooks_of(learned), codebooks_of(gained));
}

// A weight of the given rows and columns with these codebooks, without codes.
PqWeight weight_of(const Codebooks& codebooks, std::size_t rows, std::size_t cols) {
  PqWeight weight{{{rows, cols}}};
  weight.n_groups = static_cast<std::size_t>(codebooks.shape(0));
  weight.n_centroids = static_cast<std::size_t>(codebooks.shape(1));
  weight.block_size = static_cast<std::size_t>(codebooks.shape(2));
  weight.codebooks.assign(codebooks.data(), codebooks.data() + codebooks.size());
  return weight;
}

// [rows, positions]
Codes encode(py::handle x, const Codebooks& codebooks) {
  const InputRows rows = rows_of(x, "X");
  PqWeight weight = weight_of(codebooks, rows.matrix().rows(), rows.matrix().cols());
  const std::size_t n_rows = weight.rows(), n_positions = weight.positions();
  Codes codes(Dimensions{static_cast<py::ssize_t>(n_rows), static_cast<py::ssize_t>(n_positions)});
  std::uint16_t* const row_major = codes.mutable_data();
  const WithoutGil release;
  const Blocks blocks = cut_blocks(rows.matrix(), weight.block_size);
  weight.codes.resize(blocks.count());
  const std::size_t book_floats = weight.n_centroids * weight.block_size;
  std::size_t first = 0;
  for (std::size_t group = 0; group < weight.n_groups; ++group) {
    const BlockSpan span = group_blocks(blocks, group, weight.n_groups);
    if (span.count() == 0) continue;
    assign(span, std::span(weight.codebooks).subspan(group * book_floats, book_floats),
           std::span(weight.codes).subspan(first, span.count()));
    first += span.count();
  }
  for (std::size_t p = 0; p < n_positions; ++p) {
    for (std::size_t r = 0; r < n_rows; ++r) {
      row_major[r * n_positions + p] = weight.codes[p * n_rows + r];
    }
  }
  return codes;
}

// [rows, cols]
py::array_t<float> decode(py::handle source, const Codebooks& codebooks, std::size_t cols) {
  const py::array_t<std::int64_t> codes = index_array(source, "codes");
  if (codes.ndim() != 2) {
    throw invalid_argument("codes have shape {}; expected [rows, positions]", shape_text(codes));
  }
  const auto n_rows = static_cast<std::size_t>(codes.shape(0));
  PqWeight weight = weight_of(codebooks, n_rows, cols);
  const std::size_t n_positions = weight.positions();
  if (static_cast<std::size_t>(codes.shape(1)) != n_positions) {
    throw invalid_argument("codes have shape {}; expected [rows, {}]", shape_text(codes),
                           n_positions);
  }
  weight.codes.resize(n_rows * n_positions);
  for (std::size_t r = 0; r < n_rows; ++r) {
    for (std::size_t p = 0; p < n_positions; ++p) {
      const std::int64_t code = codes.data()[r * n_positions + p];
      if (code < 0 || static_cast<std::size_t>(code) >= weight.n_centroids) {
        throw invalid_argument("code {} is out of range: there are {} centroids", code,
                               weight.n_centroids);
      }
      weight.codes[p * n_rows + r] = static_cast<std::uint16_t>(code);
    }
  }
  py::array_t<float> values(
      Dimensions{static_cast<py::ssize_t>(n_rows), static_cast<py::ssize_t>(cols)});
  float* const data = values.mutable_data();
  const WithoutGil release;
  PqCodec::decode_rows(weight, 0, {data, n_rows, cols});
  return values;
}

}  // namespace

void register_quantizer(py::module_& module) {
  module.def("pq_fit", &fit, py::arg("w"), py::arg("settings"),
             "pq_fit(w, [(key, value), ...]) -> (codebooks for codes, codebooks for values), each\n"
             "float32 [groups, centroids, block_size]");
  module.def("pq_encode", &encode, py::arg("x"), py::arg("codebooks"),
             "pq_encode(x [rows, cols], codebooks) -> uint16 [rows, positions]");
  module.def("pq_decode", &decode, py::arg("codes"), py::arg("codebooks"), py::arg("cols"),
             "pq_decode(codes [rows, positions], codebooks, cols) -> float32 [rows, cols]");
}

}  // namespace pqw::python
