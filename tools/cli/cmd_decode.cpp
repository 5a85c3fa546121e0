// pqw decode: archive in, weights out.

#include <fmt/format.h>
#include <unistd.h>

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
  std::string original;
  std::string pattern;
  ReadOptions reading;
  bool force = false;
  bool json = false;
  bool quiet = false;
};

DecodedCopy decode(const Arguments& arguments) {
  if (!arguments.original.empty()) {
    return decode_into_copy(arguments.archive, arguments.original, arguments.output,
                            arguments.pattern, arguments.force, arguments.reading);
  }
  return {decode_archive(arguments.archive, arguments.output, arguments.pattern, arguments.force,
                         arguments.reading),
          {}};
}

// Throws CLI::ValidationError unless safetensors may go to the standard output.
void require_stream_output(const Arguments& arguments) {
  const auto refuse = [](const char* why) {
    throw CLI::ValidationError("--output", std::string("'-': ") + why);
  };
  if (arguments.json) refuse("--json prints to the standard output too");
  if (!arguments.original.empty()) refuse("a copy of a template goes to a file");
  if (::isatty(STDOUT_FILENO) != 0) refuse("the standard output is a terminal");
}

void print(const DecodedCopy& decoded, const Arguments& arguments) {
  const std::size_t n_tensors = decoded.n_tensors, n_kept = decoded.kept.size();
  if (arguments.json) {
    Json json =
        document("decode", arguments.archive,
                 {{"tensor", arguments.pattern.empty() ? Json() : Json(arguments.pattern)},
                  {"template", arguments.original.empty() ? Json() : Json(arguments.original)},
                  {"trusted", arguments.reading.trusted}});
    json["output"] = arguments.output;
    json["tensor_count"] = n_tensors;
    json["kept"] = decoded.kept;
    print_json(json);
  } else if (!arguments.quiet) {
    print_note(
        fmt::format("{}: {} tensor{}", arguments.output, n_tensors, n_tensors == 1 ? "" : "s"));
    if (n_kept == 0) return;
    print_note(fmt::format(
        "{}: {} tensor{} of the template not found in the archive, values kept; for example {}",
        arguments.output, n_kept, n_kept == 1 ? "" : "s", quoted("tensor", decoded.kept.front())));
  }
}

}  // namespace

void add_decode(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("decode", "decode an archive into a weight file");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("ARCHIVE", arguments->archive, "archive to read")->required();
  verb.add_option("-o,--output", arguments->output,
                  "file to write; its extension says the format: " + listed(writable_extensions()) +
                      " (.npy for a single tensor); 'FOLDER/' makes a folder of a model; '-' is "
                      "the standard output, as safetensors")
      ->required()
      ->type_name("FILE");
  verb.add_option("--template", arguments->original,
                  "the original weight file (" + template_formats() +
                      "): write a copy of it with the decoded values, everything else as it is")
      ->type_name("FILE");
  add_tensor_option(verb, arguments->pattern);
  add_threads_option(verb);
  add_trusted_option(verb, arguments->reading);
  add_output_options(verb, arguments->force, arguments->json, arguments->quiet);
  verb.footer(
      "Names, shapes and types are those of the original file.\n"
      "A folder gets model.safetensors (or shards of the sizes of the original) and, if ARCHIVE is "
      "a\n"
      "folder, its configuration and tokenizer.\n"
      "Example:\n  pqw decode model.h5 -o decoded.safetensors\n"
      "  pqw decode model.h5 --template model.onnx -o decoded.onnx");
  verb.callback([arguments] {
    const bool to_stream = arguments->output == "-";
    if (to_stream) require_stream_output(*arguments);
    DecodedCopy decoded;
    const auto write = [&] { decoded = decode(*arguments); };
    write_output(to_stream ? "" : arguments->output, write, [&] { print(decoded, *arguments); });
  });
}

}  // namespace pqw::tool
