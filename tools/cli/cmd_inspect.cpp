// pqw inspect: what an archive or a weight file holds.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/report.h"
#include "pqw/archive/archive.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw::tool {
namespace {

struct Arguments {
  std::string file;
  ReadOptions reading;
  bool json = false;
  bool all = false;
};

void run(const Arguments& arguments) {
  const Report report = inspect(arguments.file, arguments.reading);
  const bool is_one_of_ours = is_archive(arguments.file);
  const std::size_t width = line_width(STDOUT_FILENO);
  print_skipped(report.skipped);
  if (!arguments.json) {
    return print_result(is_one_of_ours ? to_table(report, {arguments.all, width})
                                       : to_listing(report, width));
  }
  Json json = document("inspect", arguments.file, {{"trusted", arguments.reading.trusted}});
  json["is_archive"] = is_one_of_ours;
  append(report, json);
  print_json(json);
}

}  // namespace

void add_inspect(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("inspect", "list what an archive or a weight file holds");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("FILE", arguments->file, "archive, or " + readable_formats() + " file")
      ->required();
  add_trusted_option(verb, arguments->reading);
  add_report_options(verb, arguments->json, arguments->all);
  verb.footer(
      "The note of a tensor shows the options that differ from the defaults; --json shows all.\n"
      "For a weight file that is not an archive, all tensors are listed.\n"
      "Example:\n  pqw inspect model.h5");
  verb.callback([arguments] { run(*arguments); });
}

}  // namespace pqw::tool
