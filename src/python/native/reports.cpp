// Reports on whole files, and the functions that only read files.
#include "python/native/reports.h"

#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <filesystem>
#include <optional>

#include "core/subject.h"
#include "pqw/pipeline/evaluate.h"
#include "pqw/pipeline/report.h"
#include "pqw/pipeline/verdict.h"
#include "python/native/archive.h"
#include "python/native/arrays.h"
#include "python/native/gil.h"

namespace py = pybind11;
using Path = std::filesystem::path;

namespace pqw::python {
namespace {

constexpr const char* kEvaluateDoc =
    R"(evaluate(original, compressed, *, calibration=None, trusted=False) -> Report

Measures the error of each tensor of an archive, or of a decoded weight file, on the stored values.

original: the weight file. compressed: the archive, or a weight file decoded from it.
calibration: a file of `pqw calibrate`, to measure the error of outputs as well.
Raises ValueError if names or shapes differ.)";

constexpr const char* kInspectDoc = R"(inspect(path, *, trusted=False) -> Report

Lists the tensors of an archive or weight file without measuring them.)";

constexpr const char* kVerifyDoc = R"(verify(path, *, trusted=False) -> int

Checks an archive against its digests and reads all of it. Returns the number of tensors.
Raises FormatError if it is damaged.)";

template <class Read>
auto without_gil(const Read& read) {
  const WithoutGil release;
  return read();
}

std::optional<Distortion> distortion_of(const TensorReport& report) { return report.distortion; }
std::optional<Distortion> distortion_of(const Report& report) { return report.distortion(); }

// A measure of the distortion, or None if nothing was measured.
template <class Holder>
auto measure_of(double (Distortion::*measure)() const) {
  return [measure](const Holder& holder) -> std::optional<double> {
    const std::optional<Distortion> distortion = distortion_of(holder);
    if (!distortion) return std::nullopt;
    return ((*distortion).*measure)();
  };
}

std::optional<double> relative(const std::optional<OutputError>& error) {
  return error ? std::optional(error->relative()) : std::nullopt;
}

void register_tensor_report(py::module_& module) {
  using R = TensorReport;
  py::class_<R> report(module, "TensorReport", "One tensor of a Report.");
  report.def_property_readonly("name", [](const R& r) { return text(r.info.name); })
      .def_property_readonly("shape", [](const R& r) { return py::tuple(py::cast(r.info.shape)); })
      .def_property_readonly("dtype", [](const R& r) { return python_dtype(r.info); })
      .def_readonly("codec", &R::codec)
      .def_readonly("settings", &R::settings, "Of the codec, in short.")
      .def_readonly("options", &R::options, "Of the codec, all of them: \"key=value,...\".")
      .def_readonly("note", &R::note, "Why it is plain, or how it differs from the request.")
      .def_readonly("bytes", &R::bytes, "As stored.")
      .def_property_readonly("original_bytes", &R::original_bytes)
      .def_readonly("at_most", &R::at_most, "True if `bytes` is an upper bound.")
      .def_property_readonly("compressed", &R::compressed,
                             "False if the file stores the values themselves, also in fewer bits.")
      .def_property_readonly("bits_per_weight", &R::bits_per_weight)
      .def_property_readonly("relative_error", measure_of<R>(&Distortion::relative_error),
                             "Σ(w - ŵ)² / Σw²; None if it was not measured.")
      .def_property_readonly("amplitude", measure_of<R>(&Distortion::amplitude),
                             "Σwŵ / Σw²: the share of the signal that survives; 1 is unbiased.")
      .def_property_readonly("max_abs_error", measure_of<R>(&Distortion::max_abs_error),
                             "The largest |w - ŵ|.")
      .def_property_readonly("sqnr_db", measure_of<R>(&Distortion::sqnr_db),
                             "Signal to quantization noise: -10 log10 of the relative error.")
      .def_property_readonly(
          "output_error", [](const R& r) { return relative(r.output_error); },
          "The relative error of the outputs of the layer; None without calibration.")
      .def("__repr__", [](const R& r) {
        return text(fmt::format("<pqw.TensorReport '{}' {}, {}, {} bytes>", shown(r.info.name),
                                to_string(r.info.shape), r.codec, r.bytes));
      });
  report.attr("__module__") = "pqw";
}

py::list skipped_of(const Report& report) {
  py::list texts;
  for (const Skipped& skipped : report.skipped) texts.append(text(to_string(skipped)));
  return texts;
}

void register_report(py::module_& module) {
  using R = Report;
  py::class_<R> report(module, "Report",
                       "The outcome for each tensor of a file, and for the file.");
  report.def_readonly("tensors", &R::tensors, "In the order of the file.")
      .def_property_readonly("skipped", &skipped_of, "Items of the input that are no tensors.")
      .def_readonly("file_bytes", &R::file_bytes, "The size of the file on disk.")
      .def_property_readonly("original_bytes", &R::original_bytes, "Of all tensors, uncompressed.")
      .def_property_readonly("at_most", &R::at_most, "True if `file_bytes` is an upper bound.")
      .def_property_readonly("ratio", &R::ratio, "original_bytes / file_bytes")
      .def_property_readonly("bits_per_weight", &R::bits_per_weight,
                             "Bits of the file per element of a tensor.")
      .def_readonly("seconds", &R::seconds, "How long the work took.")
      .def_property_readonly("relative_error", measure_of<R>(&Distortion::relative_error),
                             "Of the compressed tensors together; None if it was not measured.")
      .def_property_readonly(
          "mean_error", [](const R& r) { return judge(r).mean_error; },
          "The mean of the relative errors of the compressed tensors; None as above.")
      .def_property_readonly("amplitude", measure_of<R>(&Distortion::amplitude),
                             "Σwŵ / Σw² of the compressed tensors together; None as above.")
      .def_property_readonly(
          "output_error", [](const R& r) { return relative(r.output_error()); },
          "The relative error of the outputs of all layers; None without calibration.")
      .def_property_readonly(
          "warning", [](const R& r) { return text(warning_of(judge(r))); },
          "What the size of this file risks, in one line; empty if it risks nothing known.")
      .def("__repr__", [](const R& r) {
        return fmt::format("<pqw.Report {} tensors, {} bytes, ratio {:.2f}>", r.tensors.size(),
                           r.file_bytes, r.ratio());
      });
  report.attr("__module__") = "pqw";
}

}  // namespace

void register_reports(py::module_& module) {
  register_tensor_report(module);
  register_report(module);
  module.def(
      "evaluate",
      [](const Path& original, const Path& compressed, const std::optional<Path>& calibration,
         bool trusted) {
        return without_gil([&] {
          return evaluate(file_name(original), file_name(compressed), {.trusted = trusted},
                          calibration ? file_name(*calibration) : "");
        });
      },
      py::arg("original"), py::arg("compressed"), py::kw_only(),
      py::arg("calibration") = py::none(), py::arg("trusted") = false, kEvaluateDoc);
  module.def(
      "inspect",
      [](const Path& path, bool trusted) {
        return without_gil([&] { return inspect(file_name(path), {.trusted = trusted}); });
      },
      py::arg("path"), py::kw_only(), py::arg("trusted") = false, kInspectDoc);
  module.def(
      "verify",
      [](const Path& path, bool trusted) {
        return without_gil([&] { return verify(file_name(path), {.trusted = trusted}); });
      },
      py::arg("path"), py::kw_only(), py::arg("trusted") = false, kVerifyDoc);
}

}  // namespace pqw::python
