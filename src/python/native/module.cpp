// The extension module pqw._native: the library for arrays of numpy.
#include <pybind11/pybind11.h>

#include "python/native/archive.h"
#include "python/native/compress.h"
#include "python/native/errors.h"
#include "python/native/layers.h"
#include "python/native/quantizer.h"
#include "python/native/reports.h"
#include "python/native/training.h"

namespace {

constexpr const char* kDoc = R"(The C++ library for arrays of numpy. Import pqw instead.

File(path, trusted=False): .tensors() -> list[Tensor], [name], .close(), .closed, .path, .metadata
Tensor: .name .shape .dtype .codec .decode(dtype=None, out=None) .tobytes() .file ...
Linear(weight, bias=None, *, precision, memory): (x, out=None) -> array, .in_features, .out_features
Conv1d, Conv2d, Conv3d(weight, bias=None, *, stride, padding, dilation, groups, precision, memory)
ConvTranspose1d, ConvTranspose2d(weight, bias=None, *, stride, padding, output_padding, dilation, ...)
Embedding(weight): (indices, out=None) -> array, .bags(indices, offsets, mode, out=None)
compress(...), evaluate(...), inspect(path), verify(path): on whole files -> Report
pq_fit(w, settings), pq_encode(x, codebooks), pq_decode(codes, codebooks, cols): ProductQuantizer
pq_values(tensor), replace_values(source, target, values): training in pqw.torch

A weight is a Tensor or an array of floats. All work is done without the GIL.)";

}  // namespace

PYBIND11_MODULE(_native, module) {
  namespace python = pqw::python;
  module.doc() = kDoc;
  module.attr("__version__") = PQW_VERSION;
  python::register_errors(module);
  python::register_archive(module);
  python::register_layers(module);
  python::register_convolutions(module);
  python::register_reports(module);
  python::register_compress(module);
  python::register_quantizer(module);
  python::register_training(module);
}
