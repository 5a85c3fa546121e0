// pqw quantize: weights in, archive out.
#include "pqw/cmd_quantize.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pqw/console.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/output.h"
#include "pqw/pipeline/compress.h"
#include "pqw/pipeline/plan.h"
#include "pqw/progress.h"
#include "pqw/report_json.h"
#include "pqw/report_table.h"
#include "pqw/usage.h"

namespace pqw::tool {
namespace {

constexpr const char* kFooter = R"(Example:
  pqw quantize model.safetensors -o model.h5 --exclude 'embed' \
      --set 'head\.weight:codec=pq,block_size=2,centroids=1024'

A recipe file says the same in YAML; of its rules and those of --set the first that matches counts:
  defaults: {block_size: 4, centroids: 256}
  exclude: ['embed']
  tensors:
    - {pattern: 'head\.weight', codec: pq, block_size: 2, centroids: 1024}

Patterns are regular expressions that match anywhere in a name, and each has to match some tensor; in
recipes {pattern: 'head', optional: true} may match none. Settings of --set and of recipes:
codec (pq, int8, low_rank, tensorized, plain), the options of that codec, factors.KEY for the codec
of its factors, and fallback.KEY for the codec of tensors that it would not make smaller or would
lose (a relative error of 1 or more); non_finite and thin, as the flags of these names. In YAML they
are nested:
  tensors:
    - {pattern: fc, codec: low_rank, rank: 64, factors: {codec: pq, block_size: 4}}
pq: block_size, centroids, groups, iterations, seed, init, restarts, explore, reassign, tolerance,
codebook, engine, gain. low_rank: rank, dim_ratio, energy, energy_of, init, svd, seed. int8:
per, scheme, activations. tensorized: form (tt, ttm, tucker, cp), rank (16, 4x8x8, 0.1 of the
parameters, same), modes, out, in, iterations, restarts, tolerance, seed, joint (a label: alike
tensors of the same label are decomposed together and share their factors).

A setting that has no effect beside the others is refused where it is asked for.
Thin tensors are int8 unless a codec is named (by --codec, by the defaults of a recipe, or by the rule
that matches) or that rule sets an option of a codec. Thin are the weights of depthwise convolutions
(rank 3 or more, shape[1] = 1) and tensors of fewer than 8192 weights: they take few bytes, and errors
in them do most harm.

The schedule of fairseq's iPQ: --init random --reassign split --iterations 15 --tolerance 0
--restarts 1.

Codec int8 adopts what is int8 already: a tensor X of type I8 whose scale is called X_scale, its zero
point, if any, X_zero_point; of fc.weight also fc.scale and fc.zero_point. Scale and zero point have
one element or one per output. Such a tensor is stored bit for bit, decodes to floats, and its scale
and zero point are no tensors of their own any more.)";

struct Arguments {
  std::string input;
  std::string output;
  Settings defaults;
  std::vector<Pattern> include, exclude;
  std::vector<Rule> rules;
  std::string recipe;
  ReadOptions reading;
  bool dry_run = false;
  bool force = false;
  bool resume = false;
  bool skip_unsupported = false;
  bool json = false;
  bool quiet = false;
};

// Leaves out settings of the file that the flags make useless, such as the seed of form cp with
// --form tt. Settings of the flags stay.
Settings without_unused(const Recipe& recipe, const Settings& flags) {
  Settings defaults = recipe.defaults;
  for (const UnusedSetting& unused : unused_defaults(recipe)) {
    const auto has_key = [&](const auto& setting) { return setting.first == unused.key; };
    if (std::ranges::none_of(flags, has_key)) std::erase_if(defaults, has_key);
  }
  return defaults;
}

// The flags on top of what the file says; the file is right in itself.
Recipe with_flags(Recipe recipe, const Arguments& arguments) {
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  recipe.defaults = layered(std::move(recipe.defaults), arguments.defaults);
  append(recipe.include, arguments.include);
  append(recipe.exclude, arguments.exclude);
  recipe.rules.insert(recipe.rules.begin(), arguments.rules.begin(), arguments.rules.end());
  recipe.skip_unsupported = arguments.skip_unsupported;
  recipe.defaults = without_unused(recipe, arguments.defaults);
  return recipe;
}

Recipe recipe_of(const Arguments& arguments) {
  Recipe recipe = arguments.recipe.empty() ? Recipe{} : read_recipe(arguments.recipe);
  try {
    recipe = with_flags(std::move(recipe), arguments);
    check_recipe(recipe);
  } catch (const Error& error) {  // a mistake in the flags is one of usage
    throw CLI::ValidationError(printable(error.what()));
  }
  return recipe;
}

Report make_report(const Arguments& arguments) try {
  const Recipe recipe = recipe_of(arguments);
  if (arguments.dry_run) {
    return plan_compression(arguments.input, recipe, arguments.output, arguments.reading);
  }
  std::optional<Progress> progress;
  if (!arguments.quiet) progress.emplace();
  return compress(arguments.input, arguments.output, recipe, arguments.force,
                  progress ? &*progress : nullptr, arguments.resume ? Resume::kYes : Resume::kNo,
                  arguments.reading);
} catch (const Error& error) {
  switch (error.code()) {
    case ErrorCode::kNonFinite:
      throw Error(error.code(),
                  std::string(error.what()) +
                      " (--exclude keeps a tensor as it is, --non-finite plain every such one)");
    case ErrorCode::kNotCarried:
      throw Error(error.code(), std::string(error.what()) +
                                    " (--skip-unsupported leaves out what cannot be carried)");
    default:
      throw;
  }
}

// "2.69 M weights in 1.4 s: 1.9 M weights/s"
std::string throughput(const Report& report) {
  double n_weights = 0;
  for (const TensorReport& tensor : report.tensors) {
    n_weights += static_cast<double>(element_count(tensor.info.shape));
  }
  return fmt::format("{:.2f} M weights in {:.2f} s: {:.2f} M weights/s", n_weights / 1e6,
                     report.seconds, n_weights / 1e6 / report.seconds);
}

// What a run risks that leaves few bits; empty for the others.
std::string risk(const Report& report) {
  constexpr double kSafeBits = 2;
  const auto bits = report.bits_per_coarse_weight();
  if (!bits || *bits >= kSafeBits) return "";
  return fmt::format(
      "{:.2f} bits a weight, int8 and plain tensors left out: below about 2 bits no setting "
      "without "
      "calibration was safe on all networks; check yours on its task (--block-size 2 or --codec "
      "int8 "
      "is finer)",
      *bits);
}

void run(const Arguments& arguments) {
  Report report;
  const auto write = [&] { report = make_report(arguments); };
  write_output(arguments.dry_run ? "" : arguments.output, write, [&] {
    print_skipped(report.skipped);
    print_result(arguments.json ? to_json(report) : to_table(report));
    if (arguments.quiet) return;
    print_note(arguments.dry_run ? "dry run: nothing was written" : throughput(report));
    if (const std::string text = risk(report); !text.empty()) print_note(text);
  });
}

void add_codec_options(CLI::App& verb, Arguments& arguments) {
  const auto add = [&](const char* flag, const char* key, const char* type, const char* help) {
    verb.add_option_function<std::string>(
            flag,
            [&arguments, key](const std::string& value) {
              arguments.defaults.emplace_back(key, value);
            },
            help)
        ->type_name(type);
  };
  const auto add_part = [&](const char* flag, const char* part, const char* help) {
    verb.add_option_function<std::string>(
            flag,
            [&arguments, flag, part](const std::string& text) {
              const Settings settings =
                  blamed_on(flag, [&] { return under(part, parse_settings(text)); });
              arguments.defaults.insert(arguments.defaults.end(), settings.begin(), settings.end());
            },
            help)
        ->type_name("KEY=VALUE,...");
  };
  add("--non-finite", "non_finite", "error|plain",
      "what to do with a tensor that holds NaN or infinity: stop, or keep it as it is (default "
      "error)");
  add("--thin", "thin", "int8|same",
      "codec of thin tensors: int8, or the same as of the others (default int8, but same where a "
      "codec is named)");
  add("--codec", "codec", "NAME",
      "how to represent the weights: pq, int8, low_rank, tensorized or plain (default pq)");
  add_part("--fallback", "fallback",
           "codec and options for tensors that the codec would not make smaller or would lose "
           "(default plain)");
  add_part("--factors", "factors",
           "codec and options of the factors of low_rank and tensorized (default plain)");
  add("--form", "form", "NAME", "tensorized: tt, ttm, tucker or cp (default tt)");
  add("--rank", "rank", "N",
      "rank of the factors; of tensorized also a share of the parameters (default 0.1) or same");
  add("--joint", "joint", "LABEL",
      "tensorized: tensors of this label and equal shape, type and options are decomposed together "
      "and share their factors (not ttm)");
  add("--dim-ratio", "dim_ratio", "X",
      "low_rank: the rank as a share of the smaller side of the matrix (default 0.25)");
  add("--energy", "energy", "X",
      "low_rank: the smallest rank that keeps this share of the squared singular values (--set "
      "energy_of=values: of the values)");
  add("--block-size", "block_size", "N|auto",
      "columns per block, at most a row (default 4; auto: 3x3 conv 9, 1x1 conv 4, other kernels "
      "the divisor nearest to 8, matrices 8: half the size, and no longer safe)");
  add("--centroids", "centroids", "K", "centroids per codebook, 2..65536 (default 256)");
  add("--groups", "groups", "G", "codebooks per tensor, each for a run of columns (default 1)");
  add("--iterations", "iterations", "N", "EM iterations at most (default 20)");
  add("--seed", "seed", "N", "seed of all that is random (default 0)");
  add("--init", "init", "++|random", "initial centroids: k-means++ or uniform (default ++)");
  add("--restarts", "restarts", "N",
      "runs of which the best counts (default 0: 10, 3 or 1, fewer for larger tensors)");
  add("--explore", "explore", "N",
      "blocks per centroid on which init ++ explores before it settles on all; the note of a "
      "tensor "
      "says so (default 1024; 0: all)");
  add("--reassign", "reassign", "split|farthest",
      "what an empty cluster gets: half of the most populated one, or the farthest block "
      "(default split)");
  add("--tolerance", "tolerance", "X",
      "stop when the objective falls by less than this share (default 1e-4; 0: never)");
  add("--codebook", "codebook", "f16|f32", "type of the stored codebooks (default f16)");
  add("--gain", "gain", "unbiased|energy|least_squares",
      "factor on all codebooks of a tensor: the layer answers as strongly as before, its weights "
      "are as long, or their error is least (default unbiased)");
  add("--per", "per", "row|tensor", "int8: a scale for each output, or one for all (default row)");
  add("--scheme", "scheme", "symmetric|affine",
      "int8: zero point 0, or where the range of the weights has it (default symmetric)");
  add("--activations", "activations", "row|batch",
      "int8: what inputs are quantized by when multiplying, the range of each row or of all "
      "(default row)");
  add("--engine", "engine", "native|faiss",
      "what learns the codebooks (default native; faiss has iterations, seed, restarts and init "
      "random)");
}

void add_pattern_options(CLI::App& verb, Arguments& arguments) {
  using Texts = std::vector<std::string>;
  const auto add = [&](const char* flag, const char* type, const char* help,
                       std::function<void(const std::string&)> take) {
    verb.add_option_function<Texts>(
            flag, [take](const Texts& texts) { std::ranges::for_each(texts, take); }, help)
        ->type_name(type)
        ->expected(1)
        ->take_all();
  };
  add("--include", "RE", "compress only tensors that match (repeatable)",
      [&](const std::string& text) { arguments.include.push_back(pattern_of("--include", text)); });
  add("--exclude", "RE", "keep tensors that match (repeatable)",
      [&](const std::string& text) { arguments.exclude.push_back(pattern_of("--exclude", text)); });
  add("--set", "RE:KEY=VALUE,...",
      "options for the tensors that match (repeatable; the first match counts)",
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
  verb.add_option("IN", arguments->input, "safetensors, .npy, .npz or HDF5 file")->required();
  auto* output =
      verb.add_option("-o,--output", arguments->output, "archive to write")->type_name("OUT.h5");
  add_codec_options(verb, *arguments);
  add_pattern_options(verb, *arguments);
  verb.add_option("--recipe", arguments->recipe, "the same in a YAML file")->type_name("FILE");
  add_threads_option(verb);
  add_trusted_option(verb, arguments->reading);
  verb.add_flag(
      "--dry-run", arguments->dry_run,
      "print the plan and the exact size, write nothing (fast unless factors are quantized)");
  verb.add_flag("--force", arguments->force, "replace an existing output");
  verb.add_flag("--resume", arguments->resume,
                "go on where an interrupted run with the same output stopped (finished tensors "
                "are kept in OUT.h5.pqw.parts until it is complete)");
  verb.add_flag("--skip-unsupported", arguments->skip_unsupported,
                "leave out numbers of types that cannot be carried (complex, long double, "
                "structures, ...) instead of stopping");
  verb.add_flag("--json", arguments->json, "print the report as JSON");
  verb.add_flag("--quiet", arguments->quiet, "no progress, no notes but what was skipped");
  verb.footer(kFooter);
  verb.callback([arguments, output] {
    if (!arguments->dry_run && output->count() == 0) throw CLI::RequiredError("--output");
    if (arguments->output == "-") {
      throw CLI::ValidationError("--output", "'-': archives go to files, not to standard output");
    }
    run(*arguments);
  });
}

}  // namespace pqw::tool
