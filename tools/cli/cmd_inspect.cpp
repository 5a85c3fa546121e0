// pqw inspect: what an archive holds.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/report_json.h"
#include "cli/report_table.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw::tool {

void add_inspect(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("inspect", "list what an archive holds");
  const auto archive = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  const auto options = std::make_shared<ReadOptions>();
  verb.add_option("ARCHIVE", *archive, "archive to read")->required();
  add_trusted_option(verb, *options);
  verb.add_flag("--json", *json, "print the list as JSON");
  verb.footer("Example:\n  pqw inspect model.h5");
  verb.callback([archive, json, options] {
    const Report report = inspect(*archive, *options);
    print_result(*json ? to_json(report) : to_table(report));
  });
}

}  // namespace pqw::tool
