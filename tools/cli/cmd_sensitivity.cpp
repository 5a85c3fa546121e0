// pqw sensitivity: which tensors the task of a network depends on.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/json.h"
#include "cli/next_command.h"
#include "cli/score_file.h"
#include "cli/sensitivity_report.h"
#include "cli/shell_command.h"
#include "cli/usage.h"
#include "pqw/compress/sensitivity.h"
#include "pqw/core/text.h"
#include "pqw/io/atomic_file.h"

namespace pqw::tool {
namespace {

constexpr const char* kFooter =
    R"(COMMAND is run by /bin/sh. It gets a copy of the model in place of each {}, and prints its score, a
number, on the last line of its output that is a number. A copy has decoded values in one tensor or a
group of tensors; everything else is as in MODEL. The harm of a tensor is the score that is lost; its
importance is its harm per relative error. Without --eval, the harm of a tensor is the error of its outputs,
which --calibration measures. With both, tensors are compressed by the statistics, as by quantize.
Example:
  pqw sensitivity model.safetensors --eval 'python3 accuracy.py {}' --higher-is-better \
      --output-recipe importances.yaml
  pqw quantize model.safetensors -o model.h5 --recipe importances.yaml --target-bpw 3
  pqw sensitivity model.safetensors --calibration stats.h5 --output-recipe importances.yaml
With --max-loss, the recipe makes the smallest archive that loses at most so much:
  pqw sensitivity model.safetensors --eval 'python3 accuracy.py {}' --higher-is-better \
      --max-loss 0.005 --output-recipe small.yaml
  pqw quantize model.safetensors -o model.h5 --recipe small.yaml)";

struct Arguments {
  std::string model, command, resume, svg;
  bool higher = false, lower = false;
  SensitivityOptions options;
  bool force = false, json = false, all = false, quiet = false;
};

// "95 s" or "12 min"
std::string duration(double seconds) {
  return seconds < 120 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
}

// Keeps the scores, and prints a line per run.
class Observer : public SensitivityObserver {
 public:
  Observer(ScoreFile& scores, bool quiet) : scores_(scores), quiet_(quiet) {}

  void on_start(const std::string& digest) override { scores_.require(digest); }
  void on_compress(const std::string& settings) override {
    if (!quiet_) print_note("compressing all tensors: " + settings);
  }
  std::optional<double> known_score(const std::string& key) override { return scores_.find(key); }
  void on_run(const std::string& key, const SensitivityRun& run) override {
    scores_.add(key, run.score);
    n_timed_ += run.is_known ? 0 : 1;
    if (quiet_) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    const double each = elapsed.count() / std::max(1.0, static_cast<double>(n_timed_));
    const auto left = static_cast<double>(run.most_runs - std::min(run.n, run.most_runs));
    print_note(fmt::format(
        "[{}/{}] {}: score {:.6g}, harm {:.4g}{}", run.n, run.most_runs, run.what, run.score,
        run.harm,
        run.is_known ? " (known)" : fmt::format(", ETA at most {}", duration(each * left))));
  }

 private:
  ScoreFile& scores_;
  bool quiet_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::size_t n_timed_ = 0;
};

// A name for the archive of the model: beside it, and not its own. A folder for a folder.
std::string archive_for(const std::string& model) {
  if (std::filesystem::is_directory(model)) {
    return model.substr(0, model.find_last_not_of('/') + 1) + "-pqw/";
  }
  const std::string archive = std::filesystem::path(model).replace_extension(".h5").string();
  return archive == model ? model + ".pqw" : archive;
}

// The command that uses the recipe.
std::string next_command(const Arguments& arguments) {
  const std::string& recipe = arguments.options.recipe;
  if (recipe.empty()) return "";
  std::string command =
      fmt::format("pqw quantize {} -o {} --recipe {}", quoted_for_shell(arguments.model),
                  quoted_for_shell(archive_for(arguments.model)), quoted_for_shell(recipe));
  const std::string& statistics = arguments.options.calibration;
  if (!statistics.empty()) command += " --calibration " + quoted_for_shell(statistics);
  return command + (arguments.options.max_loss ? "" : " --target-bpw 3");
}

Json options_of(const Arguments& arguments) {
  const SensitivityOptions& options = arguments.options;
  const auto texts = [](const std::vector<Pattern>& patterns) {
    Json json = Json::array();
    for (const Pattern& pattern : patterns) json.push_back(pattern.text);
    return json;
  };
  Json points = Json::array();
  for (const Settings& point : options.points) points.push_back(to_json(point));
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  return {{"eval", text(arguments.command)},
          {"calibration", text(options.calibration)},
          {"higher_is_better", options.higher_is_better},
          {"at", std::move(points)},
          {"include", texts(options.include)},
          {"exclude", texts(options.exclude)},
          {"most_runs", options.most_runs},
          {"noise", options.noise},
          {"max_loss", options.max_loss ? Json(*options.max_loss) : Json()},
          {"trusted", options.reading.trusted}};
}

void print(const SensitivityReport& report, const Arguments& arguments) {
  print_skipped(report.skipped);
  const std::string command = next_command(arguments);
  if (arguments.json) {
    Json json = document("sensitivity", arguments.model, options_of(arguments));
    append(report, json);
    const std::string& recipe = arguments.options.recipe;
    json["recipe"] = recipe.empty() ? Json() : Json(recipe);
    json["command"] = command.empty() ? Json() : Json(command);
    return print_json(json);
  }
  std::string text = to_table(report, arguments.all, line_width(STDOUT_FILENO));
  if (!arguments.quiet && !report.note.empty()) text += report.note + "\n";
  if (!arguments.quiet && !command.empty()) text += printable(command) + "\n";
  print_result(text);
}

void run(const Arguments& arguments) {
  SensitivityOptions options = arguments.options;
  for (const std::string& output : {arguments.resume, arguments.svg}) {
    if (!output.empty()) options.other_outputs.push_back(output);
  }
  ScoreFile scores(arguments.resume, arguments.command);
  Observer observer(scores, arguments.quiet);
  options.observer = &observer;
  SensitivityReport report;
  const auto write = [&] {
    std::optional<AtomicFile> svg;
    if (!arguments.svg.empty()) svg.emplace(arguments.svg, WriteOptions{arguments.force});
    Evaluator evaluate;
    if (!arguments.command.empty()) {
      evaluate = [&](const std::string& path) {
        return number_from(command_for_path(arguments.command, path));
      };
    }
    report = measure_sensitivity(arguments.model, evaluate, options);
    if (!svg) return;
    const std::string text =
        to_svg(report, std::filesystem::path(arguments.model).filename().string());
    svg->write(std::as_bytes(std::span(text)));
    svg->commit();
  };
  write_output(options.recipe, write, [&] { print(report, arguments); });
}

// Without a command there are no scores.
void require_no_scores(const Arguments& arguments) {
  const char* const flag = arguments.options.max_loss  ? "--max-loss"
                           : !arguments.resume.empty() ? "--resume"
                           : arguments.higher          ? "--higher-is-better"
                           : arguments.lower           ? "--lower-is-better"
                                                       : nullptr;
  if (flag == nullptr) return;
  throw CLI::ValidationError(flag, "has no effect without --eval COMMAND");
}

void require_valid_command(const Arguments& arguments) {
  if (arguments.higher == arguments.lower) {
    throw CLI::ValidationError(
        arguments.higher ? "--higher-is-better and --lower-is-better exclude each other"
                         : "say what a better score is: --higher-is-better (such as accuracy) or "
                           "--lower-is-better (such as perplexity)");
  }
  if (arguments.command.find(kPathMark) == std::string::npos) {
    throw CLI::ValidationError(
        "--eval", "the command has no {}, which stands for the file of the model to evaluate");
  }
  if (arguments.options.max_loss && arguments.options.recipe.empty()) {
    throw CLI::ValidationError("--max-loss", "needs --output-recipe FILE for what it finds");
  }
}

void require_valid(Arguments& arguments) {
  if (arguments.command.empty() && arguments.options.calibration.empty()) {
    throw CLI::ValidationError("expected --eval COMMAND or --calibration FILE, which measure harm");
  }
  if (arguments.model == "-") {
    throw CLI::ValidationError("MODEL", "'-': it is read several times; name a file");
  }
  arguments.command.empty() ? require_no_scores(arguments) : require_valid_command(arguments);
  arguments.options.higher_is_better = arguments.higher;
  if (arguments.options.points.empty()) {
    arguments.options.points = {{{"quality", "balanced"}}, {{"codec", "tcq"}, {"bits", "2.5"}}};
  }
  arguments.options.overwrite_recipe = arguments.force;
}

void add_lists(CLI::App& verb, SensitivityOptions& options) {
  add_repeatable(verb, "--at", "KEY=VALUE,...",
                 "settings of quantize with which tensors are compressed (repeatable; default: "
                 "quality=balanced, and "
                 "codec=tcq,bits=2.5)",
                 [&](const std::string& text) {
                   options.points.push_back(blamed_on("--at", [&] {
                     Settings settings = parse_settings(text);
                     check_settings(settings);
                     return settings;
                   }));
                 });
  add_repeatable(
      verb, "--include", "RE", "measure only tensors that match (repeatable)",
      [&](const std::string& text) { options.include.push_back(pattern_of("--include", text)); });
  add_repeatable(
      verb, "--exclude", "RE", "keep tensors that match as they are (repeatable)",
      [&](const std::string& text) { options.exclude.push_back(pattern_of("--exclude", text)); });
}

void add_number(CLI::App& verb, const char* flag, const char* help,
                std::function<void(double)> take) {
  verb.add_option_function<double>(
          flag, [take](const double& value) { take(value); }, help)
      ->type_name("X")
      ->check(finite_number())
      ->check(CLI::NonNegativeNumber);
}

void add_file(CLI::App& verb, const char* flag, std::string& to, const char* help) {
  verb.add_option(flag, to, help)
      ->type_name("FILE")
      ->check(
          [](const std::string& path) {
            return path.empty() || path == "-" ? "expected a file" : "";
          },
          "");
}

}  // namespace

void add_sensitivity(CLI::App& app) {
  CLI::App& verb =
      *app.add_subcommand("sensitivity", "find out which tensors the task of a network depends on");
  const auto arguments = std::make_shared<Arguments>();
  SensitivityOptions& options = arguments->options;
  verb.add_option("MODEL", arguments->model,
                  "weight file or folder; with --eval, one of which copies can be made: " +
                      template_formats() + ", .npy, .npz, or folders of such files")
      ->required();
  verb.add_option("--eval", arguments->command,
                  "shell command that prints the score of the model in the file or folder {}")
      ->type_name("COMMAND");
  add_file(verb, "--calibration", options.calibration,
           "statistics of inputs (pqw calibrate), with which tensors are compressed");
  verb.add_flag("--higher-is-better", arguments->higher, "a larger score is better (accuracy)");
  verb.add_flag("--lower-is-better", arguments->lower, "a smaller score is better (perplexity)");
  add_lists(verb, options);
  verb.add_option("--most-runs", options.most_runs,
                  "run the command at most N times (default 64); --max-loss adds up to 8 runs")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  add_number(verb, "--noise", "groups of tensors with at most that harm are not split (default 0)",
             [&options](double value) { options.noise = value; });
  verb.add_option("--jobs", options.jobs, "commands that run side by side (default 1)")
      ->check(CLI::Range(1, 24))
      ->type_name("N");
  add_file(verb, "--output-recipe", options.recipe,
           "write a recipe with the importance of each tensor, for quantize with a target");
  add_number(verb, "--max-loss",
             "find the smallest archive whose score is worse by at most X; the recipe then "
             "makes this archive",
             [&options](double value) { options.max_loss = value; });
  add_file(verb, "--resume", arguments->resume,
           "keep finished scores in that file, and continue from those that it has");
  add_file(verb, "--svg", arguments->svg, "draw the harm of each tensor");
  add_threads_option(verb);
  add_trusted_option(verb, options.reading);
  verb.add_flag("--force", arguments->force, "replace existing outputs");
  add_report_options(verb, arguments->json, arguments->all);
  verb.add_flag("--quiet", arguments->quiet, "no progress and no notes");
  verb.footer(kFooter);
  verb.callback([arguments] {
    require_valid(*arguments);
    run(*arguments);
  });
}

}  // namespace pqw::tool
