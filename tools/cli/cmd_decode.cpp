// pqw decode: archive in, weights out.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/json.h"
#include "cli/usage.h"
#include "pqw/core/text.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/decode.h"

namespace pqw::tool {
namespace {

struct Arguments {
  std::string archive;
  std::string output;
  std::string pattern;
  ReadOptions reading;
  bool force = false;
  bool json = false;
  bool quiet = false;
};

void print(std::size_t n_tensors, const Arguments& arguments) {
  if (arguments.json) {
    Json json = document("decode", arguments.archive,
                         {{"tensor", arguments.pattern.empty() ? Json() : Json(arguments.pattern)},
                          {"trusted", arguments.reading.trusted}});
    json["output"] = arguments.output;
    json["tensor_count"] = n_tensors;
    print_json(json);
  } else if (!arguments.quiet) {
    print_note(
        fmt::format("{}: {} tensor{}", arguments.output, n_tensors, n_tensors == 1 ? "" : "s"));
  }
}

}  // namespace

void add_decode(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("decode", "decode an archive into a weight file");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("ARCHIVE", arguments->archive, "archive to read")->required();
  verb.add_option("-o,--output", arguments->output,
                  "file to write; its extension says the format: " + listed(writable_extensions()) +
                      " (.npy for a single tensor)")
      ->required()
      ->type_name("FILE");
  add_tensor_option(verb, arguments->pattern);
  add_threads_option(verb);
  add_trusted_option(verb, arguments->reading);
  verb.add_flag("--force", arguments->force, "replace an existing output");
  verb.add_flag("--json", arguments->json, "print the result as JSON (docs/json.md)");
  verb.add_flag("--quiet", arguments->quiet, "no notes");
  verb.footer(
      "Names, shapes and types are those of the original file.\n"
      "Example:\n  pqw decode model.h5 -o decoded.safetensors");
  verb.callback([arguments] {
    std::size_t n = 0;
    const auto write = [&] {
      n = decode_archive(arguments->archive, arguments->output, arguments->pattern,
                         arguments->force, arguments->reading);
    };
    write_output(arguments->output, write, [&] { print(n, *arguments); });
  });
}

}  // namespace pqw::tool
