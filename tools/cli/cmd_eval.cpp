// pqw eval: how far a compressed file is from its original.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/next_command.h"
#include "cli/report.h"
#include "cli/usage.h"
#include "pqw/archive/archive.h"
#include "pqw/core/text.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw::tool {
namespace {

struct Arguments {
  std::string original;
  std::string compressed;
  std::string calibration;
  ReadOptions reading;
  std::optional<double> max_error, min_sqnr;
  bool json = false;
  bool all = false;
};

// NaN is beyond every limit.
bool is_beyond(const TensorReport& tensor, const Arguments& limits) {
  if (!tensor.distortion) return false;
  const bool error_holds =
      !limits.max_error || tensor.distortion->relative_error() <= *limits.max_error;
  const bool sqnr_holds = !limits.min_sqnr || tensor.distortion->sqnr_db() >= *limits.min_sqnr;
  return !error_holds || !sqnr_holds;
}

std::vector<TensorReport> beyond_limits(const Report& report, const Arguments& limits) {
  std::vector<TensorReport> beyond;
  for (const TensorReport& tensor : report.tensors) {
    if (is_beyond(tensor, limits)) beyond.push_back(tensor);
  }
  return beyond;
}

// Throws LimitExceeded, naming the worst of these tensors.
void require_none(const std::vector<TensorReport>& beyond, const Arguments& limits) {
  if (beyond.empty()) return;
  const auto badness = [](const TensorReport& tensor) {
    const double error = tensor.distortion->relative_error();
    return std::isnan(error) ? HUGE_VAL : error;
  };
  const TensorReport& worst = *std::ranges::max_element(beyond, {}, badness);
  std::string message =
      fmt::format("{}: {}: relative error {:.5g}, SQNR {:.2f} dB; allowed are", limits.compressed,
                  quoted("tensor", worst.info.name), worst.distortion->relative_error(),
                  worst.distortion->sqnr_db());
  if (limits.max_error) message += fmt::format(" at most {} (--max-error)", *limits.max_error);
  if (limits.min_sqnr) {
    message += fmt::format("{} at least {} dB (--min-sqnr)", limits.max_error ? " and" : "",
                           *limits.min_sqnr);
  }
  if (beyond.size() > 1) message += fmt::format("; {} tensors are beyond that", beyond.size());
  throw LimitExceeded(message);
}

// Needs the original as a weight file: only that can be compressed again.
std::string command_for(const Verdict& verdict, const Report& report, const Arguments& arguments) {
  if (arguments.original == "-" || is_archive(arguments.original) ||
      !is_archive(arguments.compressed))
    return "";
  return next_command(verdict, report, arguments.original, arguments.compressed, {});
}

void print(const Report& report, const std::vector<TensorReport>& beyond,
           const Arguments& arguments) {
  print_skipped(report.skipped);
  const Verdict verdict = judge(report);
  const std::string command = command_for(verdict, report, arguments);
  if (!arguments.json) {
    return print_result(to_table(report, {arguments.all, line_width(STDOUT_FILENO)}) +
                        to_text(verdict, command));
  }
  const auto limit = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json();
  };
  Json json = document(
      "eval", arguments.original,
      {{"calibration", arguments.calibration.empty() ? Json() : Json(arguments.calibration)},
       {"max_error", limit(arguments.max_error)},
       {"min_sqnr", limit(arguments.min_sqnr)},
       {"trusted", arguments.reading.trusted}});
  json["archive"] = arguments.compressed;
  append(report, json);
  json["verdict"] = to_json(verdict, command);
  json["beyond_limits"] = Json::array();
  for (const TensorReport& tensor : beyond) json["beyond_limits"].push_back(tensor.info.name);
  print_json(json);
}

void run(const Arguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  Report report =
      evaluate(arguments.original, arguments.compressed, arguments.reading, arguments.calibration);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const std::vector<TensorReport> beyond = beyond_limits(report, arguments);
  print(report, beyond, arguments);
  require_none(beyond, arguments);
}

}  // namespace

void add_eval(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("eval", "measure the error of an archive");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("ORIGINAL", arguments->original, "the weights before compression")->required();
  verb.add_option("ARCHIVE", arguments->compressed, "the archive, or a file decoded from it")
      ->required();
  verb.add_option("--calibration", arguments->calibration,
                  "input statistics that pqw calibrate made of ORIGINAL: measure outputs too")
      ->type_name("FILE.h5");
  const auto add_limit = [&](const char* flag, std::optional<double>& to, const char* help) {
    verb.add_option(flag, to, help)->type_name("X")->check(finite_number());
  };
  add_limit("--max-error", arguments->max_error,
            "exit with 3 if the relative error of any tensor is above this");
  add_limit("--min-sqnr", arguments->min_sqnr,
            "exit with 3 if the SQNR of any tensor is below this, in dB");
  add_threads_option(verb);
  add_trusted_option(verb, arguments->reading);
  add_report_options(verb, arguments->json, arguments->all);
  verb.footer(
      "relative error = sum (w - w')^2 / sum w^2, over the compressed tensors; SQNR is its inverse "
      "in dB.\namplitude = sum w w' / sum w^2: how much of a layer's signal survives; 1 is "
      "unbiased.\nout.error = sum (y - y')^2 / sum y^2 of outputs y = x W^T, for the inputs x that "
      "FILE.h5 held out.\nIn a decoded file, the tensors that differ from the original count as "
      "compressed.\nA limit holds for each tensor, and so for the whole file: one bad layer does "
      "not hide among good ones.\nNaN is beyond every limit. The message names the worst tensor.\n"
      "Example:\n  pqw eval model.safetensors model.h5 --max-error 0.2");
  verb.callback([arguments] { run(*arguments); });
}

}  // namespace pqw::tool
