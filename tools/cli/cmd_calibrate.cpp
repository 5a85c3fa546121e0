// pqw calibrate: recorded inputs in, their statistics out.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/json.h"
#include "cli/usage.h"
#include "pqw/compress/calibrate.h"
#include "pqw/core/text.h"
#include "timing/text_table.h"

namespace pqw::tool {
namespace {

struct Arguments {
  std::string model;
  std::vector<std::string> inputs;
  std::string output;
  CalibrateOptions options;
  bool json = false;
  bool quiet = false;
};

std::string gram_of(const CalibratedTensor& tensor) {
  if (tensor.gram_block == 0) return "none";
  return tensor.gram_block == tensor.cols ? "whole"
                                          : fmt::format("blocks of {}", tensor.gram_block);
}

std::string table_of(const CalibrationReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const CalibratedTensor& tensor : report.tensors) {
    rows.push_back({printable(tensor.info.name), to_string(tensor.info.shape),
                    fmt::format("{}", tensor.cols), fmt::format("{}", tensor.n_rows),
                    fmt::format("{}", tensor.n_held_out), gram_of(tensor)});
  }
  return timing::text_table({{"tensor", true, 20},
                             {"shape", true, 0, 1},
                             {"columns"},
                             {"rows"},
                             {"held out"},
                             {"Gram", true}},
                            rows, line_width(STDOUT_FILENO)) +
         fmt::format("{} tensor{}, {}\n", rows.size(), rows.size() == 1 ? "" : "s",
                     human_bytes(static_cast<double>(report.file_bytes)));
}

// "2 weights without inputs: 'a', 'b'"
std::string text_of(const std::vector<std::string>& without) {
  constexpr std::size_t kMost = 4;
  std::string text =
      fmt::format("{} weight{} without inputs: ", without.size(), without.size() == 1 ? "" : "s");
  for (std::size_t i = 0; i < without.size() && i < kMost; ++i) {
    text += fmt::format("{}'{}'", i == 0 ? "" : ", ", shown(without[i]));
  }
  if (without.size() > kMost) text += fmt::format(" and {} more", without.size() - kMost);
  return text;
}

void print_json_of(const CalibrationReport& report, const Arguments& arguments) {
  const CalibrateOptions& options = arguments.options;
  Json rules = Json::array();
  for (const Rule& rule : options.rules) {
    rules.push_back({{"pattern", rule.pattern.text}, {"settings", to_json(rule.settings)}});
  }
  Json json = document("calibrate", arguments.model,
                       {{"rules", std::move(rules)},
                        {"gram_block", options.gram_block},
                        {"held_out", options.most_held_out},
                        {"seed", options.seed},
                        {"trusted", options.reading.trusted}});
  json["inputs"] = arguments.inputs;
  json["output"] = arguments.output;
  json["tensors"] = Json::array();
  for (const CalibratedTensor& tensor : report.tensors) {
    json["tensors"].push_back({{"name", tensor.info.name},
                               {"shape", tensor.info.shape},
                               {"columns", tensor.cols},
                               {"rows", tensor.n_rows},
                               {"held_out", tensor.n_held_out},
                               {"gram_block", tensor.gram_block}});
  }
  json["without_inputs"] = report.without;
  json["skipped"] = Json::array();
  for (const Skipped& item : report.skipped) {
    json["skipped"].push_back({{"name", item.name}, {"what", item.what}});
  }
  json["file_bytes"] = report.file_bytes;
  print_json(json);
}

void print(const CalibrationReport& report, const Arguments& arguments) {
  print_skipped(report.skipped);
  if (!arguments.quiet && !report.without.empty()) print_note(text_of(report.without));
  if (arguments.json) return print_json_of(report, arguments);
  print_result(table_of(report));
}

void add_rule(const std::string& text, std::vector<Rule>& rules) {
  Rule rule = blamed_on("--set", [&] {
    Rule parsed = parse_rule(text);
    check_calibrate_rule(parsed);
    return parsed;
  });
  rule.pattern = pattern_of("--set", rule.pattern.text);
  rules.push_back(std::move(rule));
}

void add_settings(CLI::App& verb, CalibrateOptions& options) {
  verb.add_option_function<std::vector<std::string>>(
          "--set",
          [&options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) add_rule(text, options.rules);
          },
          "stride, padding, dilation, kind or layout of the weights that match (repeatable; the "
          "first match counts)")
      ->type_name("RE:KEY=VALUE,...")
      ->expected(1)
      ->take_all();
  verb.add_option("--gram-block", options.gram_block,
                  "a weight of more columns gets Gram matrices of so many columns each (default "
                  "4096); 0: none")
      ->type_name("N");
  verb.add_option("--held-out", options.most_held_out,
                  "rows kept apart to judge the result, at most (default 256), and an eighth of "
                  "all rows")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N");
  verb.add_option("--seed", options.seed, "seed of the choice of held-out rows")->type_name("N");
}

}  // namespace

void add_calibrate(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand(
      "calibrate", "collect statistics of the inputs of weights, from recorded inputs");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option(
          "INPUTS", arguments->inputs,
          readable_formats() + " files of recorded inputs, each under the name of its weight")
      ->required();
  verb.add_option("--model", arguments->model, "the weights")->required()->type_name("FILE");
  verb.add_option("-o,--output", arguments->output, "statistics to write")
      ->required()
      ->type_name("OUT.h5");
  add_settings(verb, arguments->options);
  add_threads_option(verb);
  add_trusted_option(verb, arguments->options.reading);
  add_output_options(verb, arguments->options.overwrite, arguments->json, arguments->quiet);
  verb.footer(
      "Inputs of a linear weight [out, in] have the shape [..., in], of a convolution [n, in, "
      "spatial...];\nthose of a convolution are unfolded into patches, with stride 1 and no "
      "padding "
      "unless --set says\notherwise. docs/calibration.md shows how to record them.\n"
      "Example:\n  pqw calibrate inputs.npz --model model.safetensors -o stats.h5 --set "
      "'conv:stride=2,padding=1'\n  pqw eval model.safetensors model.h5 --calibration stats.h5");
  verb.callback([arguments] {
    CalibrationReport report;
    const auto write = [&] {
      report =
          calibrate(arguments->model, arguments->inputs, arguments->output, arguments->options);
    };
    write_output(arguments->output, write, [&] { print(report, *arguments); });
  });
}

}  // namespace pqw::tool
