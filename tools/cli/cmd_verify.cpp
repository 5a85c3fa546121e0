// pqw verify: whether an archive is whole.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/json.h"
#include "pqw/core/text.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw::tool {
namespace {

struct Arguments {
  std::string archive;
  ReadOptions reading;
  bool json = false;
};

void run(const Arguments& arguments) {
  const std::size_t n = verify(arguments.archive, arguments.reading);
  if (!arguments.json) {
    return print_result(fmt::format("{}: whole: the digest matches, {} sound\n",
                                    printable(arguments.archive),
                                    n == 1 ? "1 tensor is" : fmt::format("{} tensors are", n)));
  }
  Json json = document("verify", arguments.archive, {{"trusted", arguments.reading.trusted}});
  json["whole"] = true;
  json["tensor_count"] = n;
  print_json(json);
}

}  // namespace

void add_verify(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("verify", "check that an archive is whole");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("ARCHIVE", arguments->archive, "archive to check")->required();
  add_trusted_option(verb, arguments->reading);
  verb.add_flag("--json", arguments->json, "print the result as JSON (docs/json.md)");
  verb.footer(
      "Compares the file with its SHA-256 digest, then reads every tensor.\n"
      "Example:\n  pqw verify model.h5 && cp model.h5 /srv/models/");
  verb.callback([arguments] { run(*arguments); });
}

}  // namespace pqw::tool
