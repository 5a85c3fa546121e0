// pqw quantize: weights in, archive out.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/next_command.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/target_flags.h"
#include "cli/usage.h"
#include "pqw/compress/compress.h"
#include "pqw/compress/recipe.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/formats/weight_file.h"

namespace pqw::tool {
namespace {

constexpr const char* kFooter = R"(Example:
  pqw quantize model.safetensors -o model.h5 --exclude 'embed' \
      --set 'head\.weight:codec=pq,block_size=2,centroids=1024'

A recipe file says the same in YAML. The first rule that matches a tensor counts; rules of --set
come before the rules of the recipe:
  defaults: {block_size: 4, centroids: 256}
  exclude: ['embed']
  tensors:
    - {pattern: 'head\.weight', codec: pq, block_size: 2, centroids: 1024}

A pattern is a regular expression that matches anywhere in a name. Each pattern must match some
tensor; in recipes, {pattern: 'head', optional: true} may match none.

Settings of --set and of recipes have the names of the flags above, with '_' for '-': block_size.
Six have no flag: importance, bias, kind, layout, and the modes of tensorized, out and in (8x8x12). factors.KEY stands for the codec
and the options of factors, fallback.KEY for those of the fallback. In YAML they are nested:
  tensors:
    - {pattern: fc, codec: low_rank, rank: 64, factors: {codec: pq, block_size: 4}}
A setting that has no effect together with the other settings is an error.)";

struct Arguments {
  std::string input;
  std::string output;
  Settings defaults;
  std::vector<Pattern> include, exclude;
  std::vector<Rule> rules;
  std::string recipe, recipe_output, calibration;
  std::optional<Target> target;
  ReadOptions reading;
  bool dry_run = false;
  bool force = false;
  bool resume = false;
  bool skip_unsupported = false;
  bool all = false;
  bool json = false;
  bool quiet = false;
};

// The recipe of the file, which was checked when it was read, with the flags on top.
Recipe with_flags(Recipe recipe, const Arguments& arguments) {
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(recipe.include, arguments.include);
  append(recipe.exclude, arguments.exclude);
  recipe.rules.insert(recipe.rules.begin(), arguments.rules.begin(), arguments.rules.end());
  recipe.skip_unsupported = arguments.skip_unsupported;
  recipe.target = arguments.target;
  recipe.output = arguments.recipe_output;
  recipe.calibration = arguments.calibration;
  recipe.overwrite_output = arguments.force;
  return with_settings(std::move(recipe), arguments.defaults);
}

Recipe recipe_of(const Arguments& arguments) {
  Recipe recipe = arguments.recipe.empty() ? Recipe{} : read_recipe(arguments.recipe);
  try {
    recipe = with_flags(std::move(recipe), arguments);
    check_recipe(recipe);
  } catch (const Error& error) {  // a mistake in the flags is a usage error
    throw CLI::ValidationError(printable(error.what()));
  }
  return recipe;
}

Report make_report(const Arguments& arguments, const Recipe& recipe) try {
  std::optional<Progress> progress;
  if (!arguments.quiet) progress.emplace();
  if (arguments.dry_run) {
    return plan_compression(arguments.input, recipe, arguments.output, arguments.reading,
                            progress ? &*progress : nullptr);
  }
  return compress(arguments.input, arguments.output, recipe,
                  {.overwrite = arguments.force,
                   .observer = progress ? &*progress : nullptr,
                   .resume = arguments.resume,
                   .reading = arguments.reading});
} catch (const Error& error) {
  switch (error.code()) {
    case ErrorCode::kNonFinite:
      throw Error(error.code(), std::string(error.what()) +
                                    " (--exclude keeps a tensor as it is; --non-finite plain keeps "
                                    "every tensor with NaN or infinity)");
    case ErrorCode::kNotCarried:
      throw Error(error.code(),
                  std::string(error.what()) +
                      " (--skip-unsupported leaves out all data that cannot be carried)");
    default:
      throw;
  }
}

// "2.69 M weights in 1.4 s: 1.9 M weights/s"
std::string throughput(const Report& report) {
  const auto n_weights = static_cast<double>(report.original_parameters());
  return fmt::format("{:.2f} M weights in {:.2f} s: {:.2f} M weights/s", n_weights / 1e6,
                     report.seconds, n_weights / 1e6 / report.seconds);
}

// The preset, if the settings for all tensors leave the choice to it.
std::string choice_of(const Recipe& recipe) {
  const auto preset = preset_of(recipe);
  if (!preset) return "";
  const bool is_by_options = preset->codec == "pq" && !has_key(recipe.defaults, "for");
  return fmt::format(
      "preset {}: {} for large tensors{} (--quality high, balanced or small; or --target-size "
      "SIZE)",
      preset->name, preset->codec, is_by_options ? ", as options of pq are set" : "");
}

// Whether the setting may stand beside a target: an option of low_rank may not.
bool fits_target(const Settings::value_type& setting) try {
  check_recipe({.defaults = {setting}, .target = Target{TargetKind::kError, 1}});
  return true;
} catch (const Error&) {
  return false;
}

// The command of this run, with half of its error as the target in place of what says the size.
// Rules, and settings of parts, would need to change as well: with them there is none.
std::string command_for(const Verdict& verdict, const Report& report, const Arguments& arguments) {
  const bool has_parts = std::ranges::any_of(arguments.defaults, [](const auto& setting) {
    return setting.first.find('.') != std::string::npos;
  });
  const bool is_stream = arguments.input == "-";
  if (is_stream || has_parts || !arguments.rules.empty() || !arguments.recipe.empty()) {
    return "";
  }
  std::vector<std::string> flags;
  const auto add = [&](const std::string& flag, const std::string& value) {
    flags.insert(flags.end(), {flag, value});
  };
  for (const Pattern& pattern : arguments.include) add("--include", pattern.text);
  for (const Pattern& pattern : arguments.exclude) add("--exclude", pattern.text);
  for (const auto& setting : arguments.defaults) {
    if (fits_target(setting)) add(flag_of(setting.first), setting.second);
  }
  if (arguments.skip_unsupported) flags.push_back("--skip-unsupported");
  if (arguments.reading.trusted) flags.push_back("--trusted");
  return next_command(verdict, report, arguments.input, arguments.output, flags);
}

Json texts_of(const std::vector<Pattern>& patterns) {
  Json texts = Json::array();
  for (const Pattern& pattern : patterns) texts.push_back(pattern.text);
  return texts;
}

// The recipe that flags and file make together.
Json options_of(const Recipe& recipe, const Arguments& arguments) {
  Json rules = Json::array();
  for (const Rule& rule : recipe.rules) {
    rules.push_back({{"pattern", rule.pattern.text}, {"settings", to_json(rule.settings)}});
  }
  return {{"dry_run", arguments.dry_run},
          {"skip_unsupported", recipe.skip_unsupported},
          {"target", recipe.target ? to_json(*recipe.target) : Json()},
          {"calibration", recipe.calibration.empty() ? Json() : Json(recipe.calibration)},
          {"recipe", recipe.file.empty() ? Json() : Json(recipe.file)},
          {"defaults", to_json(recipe.defaults)},
          {"include", texts_of(recipe.include)},
          {"exclude", texts_of(recipe.exclude)},
          {"rules", std::move(rules)}};
}

void print(const Report& report, const Recipe& recipe, const Arguments& arguments) {
  const Verdict verdict = judge(report);
  const std::string command = command_for(verdict, report, arguments);
  if (!arguments.json) {
    const std::string table = to_table(report, {arguments.all, line_width(STDOUT_FILENO)});
    return print_result(table + (arguments.quiet ? "" : to_text(verdict, command)));
  }
  Json json = document("quantize", arguments.input, options_of(recipe, arguments));
  json["output"] = arguments.dry_run ? Json() : Json(arguments.output);
  append(report, json);
  json["verdict"] = to_json(verdict, command);
  print_json(json);
}

// "target: at most 4000000 bytes; found: 3998612 bytes, mean error 0.0312". With statistics of
// inputs: "... mean error of weights 0.31, output error 0.0123".
std::string text_of(const SearchOutcome& search, const Target& wanted, const Report& report) {
  const char* metric = wanted.metric == Metric::kTotal ? "total" : "mean";
  const std::string target =
      search.target_bytes > 0 ? fmt::format("at most {} bytes", search.target_bytes)
                              : fmt::format("{} error at most {:.4g}", metric, search.target_error);
  const auto outputs = report.output_error();
  std::string error =
      fmt::format("{} error{} {}{:.4g}", metric, outputs ? " of weights" : "",
                  search.error ? "" : "about ", search.error.value_or(search.estimated_error));
  if (outputs) error += fmt::format(", output error {:.4g}", outputs->relative());
  const bool may_change = !search.error && (search.target_error > 0 || report.at_most());
  const std::uint64_t bytes =
      may_change && search.estimated_bytes > 0 ? search.estimated_bytes : report.file_bytes;
  return fmt::format(
      "target: {}; found: {}{} bytes, {}{}{}{}", target, may_change ? "about " : "", bytes, error,
      search.note.empty() ? "" : "; ", search.note,
      may_change ? "; the run measures its error and size and may then choose others" : "");
}

// "not copied from model/: onnx/, .gitattributes and 3 more"
std::string text_of(const std::vector<std::string>& not_copied, const std::string& input) {
  constexpr std::size_t kMost = 8;
  std::string names;
  for (std::size_t i = 0; i < not_copied.size() && i < kMost; ++i) {
    names += (i == 0 ? "" : ", ") + shown(not_copied[i]);
  }
  if (not_copied.size() > kMost) names += fmt::format(" and {} more", not_copied.size() - kMost);
  return fmt::format("not copied from {}: {}", input, names);
}

std::string text_of_codes(const std::string& tensor, const std::string& input) {
  return fmt::format(
      "{}: {} holds codes of another program, which were taken for weights; take them over as they "
      "are: pqw import",
      input, quoted("tensor", tensor));
}

void run(const Arguments& arguments) {
  Recipe recipe;
  Report report;
  const auto write = [&] {
    recipe = recipe_of(arguments);
    report = make_report(arguments, recipe);
  };
  write_output(arguments.dry_run ? "" : arguments.output, write, [&] {
    print_skipped(report.skipped);
    if (!report.not_copied.empty()) print_note(text_of(report.not_copied, arguments.input));
    if (!report.importable.empty()) print_note(text_of_codes(report.importable, arguments.input));
    print(report, recipe, arguments);
    if (arguments.quiet) return;
    print_note(arguments.dry_run ? "dry run: no archive was written" : throughput(report));
    if (const std::string text = choice_of(recipe); !text.empty()) print_note(text);
    if (const std::string text = corrected_biases(report); !text.empty()) print_note(text);
    if (report.search) print_note(text_of(*report.search, *recipe.target, report));
    print_unusual_extension(arguments.output);
  });
}

void add_pattern_options(CLI::App& verb, Arguments& arguments) {
  add_repeatable(
      verb, "--include", "RE", "compress only tensors that match (repeatable)",
      [&](const std::string& text) { arguments.include.push_back(pattern_of("--include", text)); });
  add_repeatable(
      verb, "--exclude", "RE", "keep tensors that match as they are (repeatable)",
      [&](const std::string& text) { arguments.exclude.push_back(pattern_of("--exclude", text)); });
  add_repeatable(verb, "--set", "RE:KEY=VALUE,...",
                 "settings of the tensors that match (repeatable; the first match counts)",
                 [&](const std::string& text) {
                   Rule rule = blamed_on("--set", [&] { return parse_rule(text); });
                   rule.pattern = pattern_of("--set", rule.pattern.text);
                   arguments.rules.push_back(std::move(rule));
                 });
}

}  // namespace

void add_quantize(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("quantize", "compress a weight file into an archive");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("IN", arguments->input,
                  readable_formats() +
                      " file (also packed by gzip or zstd), folder of a model, or "
                      "'-' for the standard input")
      ->required();
  auto* output =
      verb.add_option(
              "-o,--output", arguments->output,
              "archive to write; 'FOLDER/' makes a folder of a model: the archive model.h5, "
              "and a copy of the configuration and tokenizer beside IN")
          ->type_name("OUT.h5");
  add_setting_flags(verb, arguments->defaults);
  add_pattern_options(verb, *arguments);
  add_target_options(verb, arguments->target);
  verb.add_option("--recipe", arguments->recipe,
                  "defaults, patterns and rules from a YAML file; flags come on top")
      ->type_name("FILE")
      ->check([](const std::string& path) { return path.empty() ? "expected a file" : ""; }, "");
  verb.add_option("--calibration", arguments->calibration,
                  "input statistics that pqw calibrate made of IN: pq and tcq then lower the error "
                  "of layer "
                  "outputs instead of the error of weights; the report shows both errors")
      ->type_name("FILE.h5");
  verb.add_option("--output-recipe", arguments->recipe_output,
                  "write a recipe with a rule for each tensor, which makes the same archive again")
      ->type_name("FILE")
      ->check(
          [](const std::string& path) {
            if (path.empty()) return "the name is empty; name a file, such as recipe.yaml";
            return path == "-" ? "'-': recipes go to files, not to standard output" : "";
          },
          "");
  add_threads_option(verb);
  add_trusted_option(verb, arguments->reading);
  verb.add_flag(
      "--dry-run", arguments->dry_run,
      "print the plan and the size, write nothing: fast for pq, with the size at most, and int8; "
      "tensors of tcq and quantized factors are encoded; with a target the size is an estimate, as "
      "the run corrects its choice by the size or error that it measures");
  verb.add_flag("--force", arguments->force, "replace an existing output");
  verb.add_flag(
      "--resume", arguments->resume,
      "continue an interrupted run with the same output, and keep finished tensors in "
      "OUT.h5.pqw.parts until the output is complete (without --resume, those that are "
      "finished after the first minute are kept); the search for a target starts again. Tensors "
      "below 0.5 M weights are kept in batches of up to 4.2 M weights; the last batch is "
      "not kept, so a file of one batch starts again");
  verb.add_flag("--skip-unsupported", arguments->skip_unsupported,
                "leave out numbers of types that cannot be carried (complex, long double, "
                "structures, ...) instead of stopping");
  add_report_options(verb, arguments->json, arguments->all);
  verb.add_flag("--quiet", arguments->quiet, "no progress and no notes, except of skipped data");
  verb.footer(kFooter);
  verb.callback([arguments, output] {
    if (!arguments->dry_run && output->count() == 0) throw CLI::RequiredError("--output");
    if (arguments->dry_run && arguments->resume) {
      throw CLI::ValidationError(
          "--resume", "a dry run keeps and continues nothing; leave out --resume or --dry-run");
    }
    if (output->count() > 0 && arguments->output.empty()) {
      throw CLI::ValidationError("--output", "the name is empty; name a file, such as model.h5");
    }
    if (arguments->output == "-") {
      throw CLI::ValidationError("--output", "'-': archives go to files, not to standard output");
    }
    run(*arguments);
  });
}

}  // namespace pqw::tool
