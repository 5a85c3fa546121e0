// Compressing whole files, with progress that can cancel.
#include "python/native/compress.h"

#include <omp.h>
#include <pybind11/numpy.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/subject.h"
#include "pqw/compress/compress.h"
#include "pqw/compress/recipe.h"
#include "pqw/core/dtype.h"
#include "pqw/formats/weight_file.h"
#include "python/native/archive.h"
#include "python/native/arrays.h"
#include "python/native/gil.h"

namespace py = pybind11;
using Path = std::filesystem::path;

namespace pqw::python {
namespace {

constexpr const char* kProgressDoc = R"(What the callable `progress` of pqw.compress gets.

stage: "start", "search" (probes for a target), "tensor" (its work begins), "iteration" (of EM),
    or "tensor_done" (it is stored).)";

// One call of the progress function.
struct Progress {
  std::string stage;
  std::string tensor;                   // of "tensor" and "tensor_done"
  std::size_t n_done = 0, n_total = 0;  // tensors; of "search": probes
  std::size_t weights_done = 0, n_weights = 0;
  std::optional<EmIteration> iteration = {};
  std::optional<TensorReport> report = {};  // of "tensor_done"
};

// Calls a function of Python with the GIL. What it raises ends the work, as does Ctrl-C.
class CallingObserver : public CompressObserver {
 public:
  explicit CallingObserver(py::object function) : function_(std::move(function)) {}

  void on_start(std::size_t n_tensors, std::size_t n_weights) override {
    state_ = {"start", "", 0, n_tensors, 0, n_weights};
    call(state_);
  }

  void on_search(std::size_t n, std::size_t m) override {
    Progress progress = state_;
    progress.stage = "search";
    progress.n_done = n;
    progress.n_total = m;
    call(progress);
  }

  void on_tensor(const TensorInfo& info) override {
    state_.stage = "tensor";
    state_.tensor = info.name;
    call(state_);
  }

  void on_iteration(const EmIteration& iteration) override {
    Progress progress = state_;
    progress.stage = "iteration";
    progress.iteration = iteration;
    call(progress);
  }

  void on_tensor_done(const TensorReport& report) override {
    ++state_.n_done;
    state_.weights_done += element_count(report.info.shape);
    Progress progress = state_;
    progress.stage = "tensor_done";
    progress.tensor = report.info.name;
    progress.report = report;
    call(progress);
  }

 private:
  void call(const Progress& progress) const {
    const WithGil acquire;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!function_.is_none()) function_(progress);
  }

  py::object function_;
  Progress state_;
};

// Sets the number of threads of the calling thread for a scope.
class ThreadCount {
 public:
  explicit ThreadCount(std::optional<int> n) : before_(omp_get_max_threads()) {
    if (n && *n < 1) throw invalid_argument("threads is {}; expected 1 or more", *n);
    if (n) omp_set_num_threads(*n);
  }
  ~ThreadCount() { omp_set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;

 private:
  int before_;
};

TargetKind target_kind(const std::string& name) {
  if (name == "size") return TargetKind::kSize;
  if (name == "bpw") return TargetKind::kBitsPerWeight;
  return name == "ratio" ? TargetKind::kRatio : TargetKind::kError;
}

Metric metric_of(const std::string& name) {
  if (name == "relative") return Metric::kRelative;
  if (name == "total") return Metric::kTotal;
  throw invalid_argument("metric is '{}'; expected relative or total", shown(name));
}

// A number, or a size with a unit for "size": "4MB".
double target_value(const std::string& kind, const std::string& value) {
  double number = 0;
  if (kind == "size") {
    number = static_cast<double>(parse_size(value));
  } else {
    try {
      number = std::stod(value);
    } catch (const std::exception&) {
    }
  }
  if (number > 0) return number;
  throw invalid_argument("target_{} is {}; expected a number above 0", kind, shown(value));
}

using TargetArguments = std::tuple<std::string, std::string, std::string>;  // kind, value, metric

// The arguments of compress besides the files.
struct Arguments {
  Settings defaults;
  std::vector<std::string> include, exclude;
  std::optional<Path> recipe_file;
  std::string recipe_text;  // in place of a file
  std::optional<TargetArguments> target;
  std::optional<Path> calibration, output_recipe;
  bool overwrite, skip_unsupported;
};

void append(const std::vector<std::string>& texts, const char* where, std::vector<Pattern>& to) {
  for (const std::string& text : texts) to.emplace_back(text).where = where;
}

Recipe recipe_of(const Arguments& arguments) {
  Recipe recipe;
  if (arguments.recipe_file) recipe = read_recipe(file_name(*arguments.recipe_file));
  if (!arguments.recipe_text.empty()) recipe = parse_recipe(arguments.recipe_text, "recipe");
  append(arguments.include, "include", recipe.include);
  append(arguments.exclude, "exclude", recipe.exclude);
  if (arguments.target) {
    const auto& [kind, value, metric] = *arguments.target;
    recipe.target = {target_kind(kind), target_value(kind, value), metric_of(metric)};
  }
  if (arguments.calibration) recipe.calibration = file_name(*arguments.calibration);
  if (arguments.output_recipe) recipe.output = file_name(*arguments.output_recipe);
  recipe.overwrite_output = arguments.overwrite;
  recipe.skip_unsupported = arguments.skip_unsupported;
  recipe = with_settings(std::move(recipe), arguments.defaults);
  check_recipe(recipe);
  return recipe;
}

Report compress_files(const Path& source, const Path& target, const Arguments& arguments,
                      py::object progress, bool resume, bool dry_run, bool trusted,
                      std::optional<int> threads) {
  CallingObserver observer(std::move(progress));
  const WithoutGil release;
  const ThreadCount count(threads);
  const Recipe recipe = recipe_of(arguments);
  const ReadOptions reading{.trusted = trusted};
  if (dry_run) {
    return plan_compression(file_name(source), recipe, file_name(target), reading, &observer);
  }
  return compress(file_name(source), file_name(target), recipe,
                  {.overwrite = arguments.overwrite,
                   .observer = &observer,
                   .resume = resume,
                   .reading = reading});
}

// Tensors as triples of name, type by safetensors and array.
void write_weights(const Path& path,
                   const std::vector<std::tuple<std::string, std::string, py::array>>& tensors) {
  std::vector<TensorInfo> infos;
  for (const auto& [name, dtype, array] : tensors) {
    infos.push_back({name, dtype_from_string(dtype).value_or(DType::kF32),
                     Shape(array.shape(), array.shape() + array.ndim())});
  }
  const auto writer = create_weights(path.string(), infos);
  for (const auto& [name, dtype, array] : tensors) {
    const py::array packed =
        array.attr("astype")(array.dtype(), py::arg("order") = "C", py::arg("copy") = false);
    writer->add(
        {static_cast<const std::byte*>(packed.data()), static_cast<std::size_t>(packed.nbytes())});
  }
  writer->commit();
}

void register_progress(py::module_& module) {
  using P = Progress;
  py::class_<P> progress(module, "Progress", kProgressDoc);
  progress.def_readonly("stage", &P::stage)
      .def_property_readonly("tensor", [](const P& p) { return text(p.tensor); })
      .def_readonly("n_done", &P::n_done, "Tensors that are finished; of \"search\": probes.")
      .def_readonly("n_total", &P::n_total, "Tensors, or probes, in all.")
      .def_readonly("weights_done", &P::weights_done)
      .def_readonly("n_weights", &P::n_weights)
      .def_property_readonly("iteration",
                             [](const P& p) {
                               return p.iteration ? std::optional(p.iteration->iteration)
                                                  : std::nullopt;
                             })
      .def_property_readonly("objective",
                             [](const P& p) {
                               return p.iteration ? std::optional(p.iteration->objective)
                                                  : std::nullopt;
                             })
      .def_readonly("report", &P::report)
      .def("__repr__", [](const P& p) {
        return text(fmt::format("<pqw.Progress {} {}/{} {}>", p.stage, p.n_done, p.n_total,
                                shown(p.tensor)));
      });
  progress.attr("__module__") = "pqw";
}

}  // namespace

void register_compress(py::module_& module) {
  register_progress(module);
  module.def(
      "compress",
      [](const Path& source, const Path& target, const Settings& settings,
         const std::vector<std::string>& include, const std::vector<std::string>& exclude,
         const std::optional<Path>& recipe_file, const std::string& recipe_text,
         const std::optional<TargetArguments>& wanted, const std::optional<Path>& calibration,
         const std::optional<Path>& output_recipe, py::object progress, bool overwrite, bool resume,
         bool dry_run, bool skip_unsupported, bool trusted, std::optional<int> threads) {
        return compress_files(source, target,
                              {settings, include, exclude, recipe_file, recipe_text, wanted,
                               calibration, output_recipe, overwrite, skip_unsupported},
                              std::move(progress), resume, dry_run, trusted, threads);
      },
      py::arg("source"), py::arg("target"), py::kw_only(), py::arg("settings"), py::arg("include"),
      py::arg("exclude"), py::arg("recipe_file"), py::arg("recipe_text"), py::arg("wanted"),
      py::arg("calibration"), py::arg("output_recipe"), py::arg("progress"), py::arg("overwrite"),
      py::arg("resume"), py::arg("dry_run"), py::arg("skip_unsupported"), py::arg("trusted"),
      py::arg("threads"), "The work of pqw.compress.");
  module.def("write_weights", &write_weights, py::arg("path"), py::arg("tensors"),
             "write_weights(path, [(name, safetensors type, array), ...]) -> None");
}

}  // namespace pqw::python
