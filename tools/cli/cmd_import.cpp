// pqw import: weights that other programs product-quantized in, archive out.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/report.h"
#include "cli/usage.h"
#include "pqw/core/text.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/import.h"

namespace pqw::tool {
namespace {

struct Arguments {
  std::string input;
  std::string output;
  ImportOptions options;
  bool json = false;
  bool all = false;
  bool quiet = false;
};

[[noreturn]] void refuse_shape(const std::string& text) {
  throw CLI::ValidationError(
      "--shape",
      fmt::format("'{}': expected NAME=[OUT,IN,...], for example conv1.weight=[64,3,7,7]",
                  shown(text)));
}

// "conv1.weight=[64,3,7,7]"
void add_shape(const std::string& text, std::map<std::string, Shape>& shapes) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) refuse_shape(text);
  std::string_view rest = std::string_view(text).substr(equals + 1);
  if (rest.size() < 2 || !rest.starts_with('[') || !rest.ends_with(']')) refuse_shape(text);
  rest = rest.substr(1, rest.size() - 2);
  Shape shape;
  for (const char* at = rest.data(); at != rest.data() + rest.size() + 1; ++at) {
    std::size_t size = 0;
    while (*at == ' ') ++at;
    const auto [end, status] = std::from_chars(at, rest.data() + rest.size(), size);
    if (status != std::errc() || size == 0 || (*end != ',' && *end != ']')) refuse_shape(text);
    shape.push_back(size);
    at = end;
  }
  shapes.insert_or_assign(text.substr(0, equals), std::move(shape));
}

// Two notes: statistics of batch normalisation, without which a network does not work, and others.
void print_missing(const Imported& imported, const Arguments& arguments) {
  std::vector<std::string> statistics, others;
  for (const std::string& name : imported.missing) {
    const bool is_statistic = name.ends_with("running_mean") || name.ends_with("running_var");
    (is_statistic ? statistics : others).push_back(name);
  }
  const std::string advice =
      fmt::format("pqw decode {} --template ORIGINAL takes them from the original",
                  printable(arguments.output));
  const auto print = [&](const std::vector<std::string>& names, std::string_view what) {
    if (names.empty()) return;
    std::string list;
    for (std::size_t i = 0; i < names.size() && i < 4; ++i) {
      list += fmt::format("{}'{}'", i == 0 ? "" : ", ", shown(names[i]));
    }
    print_note(fmt::format("{}: {}: {}{}; {}", printable(arguments.input), what, list,
                           names.size() > 4 ? fmt::format(" and {} more", names.size() - 4) : "",
                           advice));
  };
  print(statistics,
        "lacks statistics of batch normalisation, without which the network does not work");
  print(others, "lacks tensors of the template");
}

void print(const Imported& imported, const Arguments& arguments) {
  print_skipped(imported.report.skipped);
  if (!arguments.quiet) {
    print_missing(imported, arguments);
    print_unusual_extension(arguments.output);
  }
  if (!arguments.json) {
    return print_result(to_table(imported.report, {arguments.all, line_width(STDOUT_FILENO)}));
  }
  const ImportOptions& options = arguments.options;
  Json shapes = Json::object();
  for (const auto& [name, shape] : options.shapes) shapes[name] = shape;
  Json json = document("import", arguments.input,
                       {{"template", options.original.empty() ? Json() : Json(options.original)},
                        {"shapes", std::move(shapes)},
                        {"skip_unsupported", options.skip_unsupported},
                        {"trusted", options.reading.trusted}});
  json["output"] = arguments.output;
  append(imported.report, json);
  json["missing"] = imported.missing;
  print_json(json);
}

}  // namespace

void add_import(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand(
      "import", "make an archive of weights that kill-the-bits, fairseq or AQLM quantized");
  const auto arguments = std::make_shared<Arguments>();
  ImportOptions& options = arguments->options;
  verb.add_option("IN", arguments->input, readable_formats() + " file with codes and centroids")
      ->required();
  verb.add_option("-o,--output", arguments->output, "archive to write")
      ->required()
      ->type_name("OUT.h5");
  verb.add_option("--template", options.original,
                  "the original weight file: shapes and types of the weights are taken from it")
      ->type_name("FILE");
  verb.add_option_function<std::vector<std::string>>(
          "--shape",
          [&options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) add_shape(text, options.shapes);
          },
          "the shape of a weight (repeatable)")
      ->type_name("NAME=[OUT,IN,...]")
      ->expected(1)
      ->take_all();
  verb.add_flag("--force", options.overwrite, "replace an existing output");
  verb.add_flag("--skip-unsupported", options.skip_unsupported,
                "leave out numbers of types that cannot be carried");
  add_trusted_option(verb, options.reading);
  add_report_options(verb, arguments->json, arguments->all);
  verb.add_flag("--quiet", arguments->quiet, "no notes, except of skipped data");
  verb.footer(
      "Takes over codes, centroids and scales as they are. Reads the tensors\n"
      "  NAME.centroids, NAME.assignments            of kill-the-bits, and of the iPQ of fairseq\n"
      "  NAME.codes, NAME.codebooks, NAME.scales     of AQLM: 1 to 4 codebooks, out_group_size 1\n"
      "The first two do not store shapes: without a shape, a layer with a bias is taken as "
      "linear.\n"
      "Example:\n  pqw import resnet18.pth --template resnet18_float.pth -o resnet18.h5");
  verb.callback([arguments] {
    Imported imported;
    const auto write = [&] {
      imported = import_weights(arguments->input, arguments->output, arguments->options);
    };
    write_output(arguments->output, write, [&] { print(imported, *arguments); });
  });
}

}  // namespace pqw::tool
