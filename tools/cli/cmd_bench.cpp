// pqw bench: how fast the weights of an archive are served.

#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_tensor.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/usage.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/select.h"
#include "timing/dense.h"

namespace pqw::tool {
namespace {

constexpr const char* kFooter = R"(Columns:
  dense us   the product with the decoded float32 weight by OpenBLAS: the faster of sgemm and,
             row by row of x, sgemv
  served us  the product from what the archive stores
  ratio      dense us / served us: above 1, serving is faster
  GB/s       bytes of codes that serving reads per second
  error      relative L2 error of the served y on normal x, against the product in double with the
             decoded weight; ! marks an error above the bound that the precision promises
Results are checked before the clock starts. Dense and served products take turns, and the table
shows medians. Each weight is used many times in a row, so a weight that fits in the caches stays
there. A convolution is timed as a product of its matrix with one patch for each row of the batch.
Example:
  pqw bench model.h5 --tensor fc --batch 1,16 --threads 1 --precision fast)";

struct Arguments {
  std::string archive;
  std::string pattern;
  std::vector<std::size_t> batches = {1, 4, 16, 64};
  ServeOptions options;
  ReadOptions reading;
  bool calibrate = false;
  bool json = false;
  bool quiet = false;
};

// The compressed tensors whose name, or an alias of them, matches the pattern.
std::vector<std::size_t> select(const std::string& path, const Model& model,
                                const std::string& pattern) {
  std::vector<std::size_t> indices = select_tensors(path, model.tensors(), pattern);
  std::erase_if(indices, [&](std::size_t i) {
    return model.codec(model.tensors()[i].name) == PlainCodec::kName;
  });
  if (!indices.empty()) return indices;
  throw Error(ErrorCode::kNotFound,
              fmt::format("{}: no compressed tensor{}", path,
                          pattern.empty() ? "" : fmt::format(" matches '{}'", pattern)));
}

// Whether --method decides how the weight, or one of its factors, is multiplied.
bool has_methods(const Weight& weight) {
  if (const auto* low_rank = std::get_if<LowRankWeight>(&weight)) {
    return has_methods(*low_rank->outer) || has_methods(*low_rank->inner);
  }
  return std::holds_alternative<PqWeight>(weight);
}

BenchReport run(const Arguments& arguments) {
  require_archive(arguments.archive);
  const Model model(arguments.archive, arguments.reading);
  BenchReport report{
      arguments.archive, omp_get_max_threads(), arguments.options, timing::blas_core(), {}, {}};
  timing::set_blas_threads(static_cast<std::size_t>(report.n_threads));
  const std::vector<std::size_t> indices = select(arguments.archive, model, arguments.pattern);
  std::size_t n_seen = 0;
  for (const std::size_t i : indices) {
    const TensorInfo& info = model.tensors()[i];
    const std::string& name = info.name;
    if (!arguments.quiet) {
      print_note(
          fmt::format("[{}/{}] {} {}", ++n_seen, indices.size(), name, to_string(info.shape)));
    }
    const Weight weight = model.weight(name);
    if (arguments.options.method != ServeMethod::kAuto && !has_methods(weight)) {
      report.left_out.push_back(name);
      continue;
    }
    report.tensors.push_back({info, model.codec(name), summary(weight), code_bytes(weight),
                              time_weight(name, weight, arguments.batches, arguments.options)});
  }
  if (report.tensors.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: none of the chosen tensors has codec pq: --method chooses how pq "
                            "weights are multiplied; leave --method out",
                            arguments.archive));
  }
  return report;
}

void print_summary(const BenchReport& report) {
  if (!report.left_out.empty()) {
    print_note(
        fmt::format("left out, because --method applies to pq weights only: {} of {} tensors",
                    report.left_out.size(), report.left_out.size() + report.tensors.size()));
  }
  std::vector<double> ratios;
  std::size_t n_less_exact = 0;
  for (const TensorTimes& tensor : report.tensors) {
    for (const BatchTimes& times : tensor.batches) {
      ratios.push_back(times.ratio());
      n_less_exact += times.as_documented ? 0 : 1;
    }
  }
  const auto [least, most] = std::ranges::minmax(ratios);
  print_note(fmt::format(
      "threads: {}, precision: {}, dense: OpenBLAS for {}; served {:.2f} to {:.2f} times as fast",
      report.n_threads, to_string(report.options.precision), report.blas_core, least, most));
  if (n_less_exact == 0) return;
  print_note(
      fmt::format("{} of {} answers (!) have an error above {:.1g}, the bound that the precision "
                  "promises on normal data",
                  n_less_exact, ratios.size(), documented_error(report.options.precision)));
}

void print(const BenchReport& report, const Arguments& arguments) {
  if (!arguments.json) return print_result(to_table(report, line_width(STDOUT_FILENO)));
  Json json = document("bench", arguments.archive,
                       {{"tensor", arguments.pattern.empty() ? Json() : Json(arguments.pattern)},
                        {"batch", arguments.batches},
                        {"precision", to_string(arguments.options.precision)},
                        {"method", to_string(arguments.options.method)},
                        {"memory", to_string(arguments.options.memory)},
                        {"trusted", arguments.reading.trusted}});
  append(report, json);
  print_json(json);
}

// An option with the library's names of the choices as values; spaces become hyphens.
template <class Choice>
void add_choice(CLI::App& verb, const char* flag, Choice& to, std::initializer_list<Choice> choices,
                const char* type, const char* help) {
  std::map<std::string, Choice> by_name;
  Words names;
  for (const Choice choice : choices) {
    std::string name(to_string(choice));
    std::ranges::replace(name, ' ', '-');
    by_name.emplace(name, choice);
    names.push_back(name);
  }
  verb.add_option_function<std::string>(
          flag,
          [&to, by_name, names, flag](const std::string& name) {
            require_word(flag, name, names);
            to = by_name.at(name);
          },
          help)
      ->type_name(type);
}

void add_serving_options(CLI::App& verb, ServeOptions& options) {
  add_choice(verb, "--precision", options.precision,
             {Precision::kExact, Precision::kHigh, Precision::kFast}, "P",
             "how exact y is: exact, high or fast (default high)");
  add_choice(
      verb, "--method", options.method,
      {ServeMethod::kAuto, ServeMethod::kLookup, ServeMethod::kBatchLookup, ServeMethod::kDecode,
       ServeMethod::kDecodeBf16, ServeMethod::kDecodeInt8, ServeMethod::kDense},
      "M",
      "how y is computed from pq weights: auto, lookup, batch-lookup, decode, decode-bf16, "
      "decode-int8 or dense, which needs --memory fastest (default auto: the fastest by the cost "
      "model); tensors of other codecs are left out");
  add_choice(
      verb, "--memory", options.memory, {ServeMemory::kCodes, ServeMemory::kFastest}, "W",
      "what is held of a pq or int8 weight: codes; or fastest: also the decoded weight if it is "
      "faster (default codes)");
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("bench", "time serving against dense products");
  const auto arguments = std::make_shared<Arguments>();
  CLI::Option* archive = verb.add_option("ARCHIVE", arguments->archive, "archive to read");
  verb.add_flag("--calibrate", arguments->calibrate,
                "measure the kernels of this machine and print their cycles: a file for PQW_COSTS "
                "(docs/serving.md); takes no ARCHIVE")
      ->excludes(archive);
  add_tensor_option(verb, arguments->pattern);
  verb.add_option("--batch", arguments->batches, "rows of x (default 1,4,16,64)")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 16))
      ->type_name("N,...");
  add_threads_option(verb);
  add_trusted_option(verb, arguments->reading);
  add_serving_options(verb, arguments->options);
  verb.add_flag("--json", arguments->json, "print the report as JSON (docs/json.md)");
  verb.add_flag("--quiet", arguments->quiet, "no progress, no notes");
  verb.footer(kFooter);
  verb.callback([arguments] {
    if (arguments->calibrate) return print_result(measured_kernel_costs());
    if (arguments->archive.empty()) throw CLI::RequiredError("ARCHIVE");
    const BenchReport report = run(*arguments);
    print(report, *arguments);
    if (!arguments->quiet) print_summary(report);
  });
}

}  // namespace pqw::tool
