// pqw verify: whether an archive is whole.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "pqw/core/text.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw::tool {

void add_verify(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("verify", "check that an archive is whole");
  const auto archive = std::make_shared<std::string>();
  const auto options = std::make_shared<ReadOptions>();
  verb.add_option("ARCHIVE", *archive, "archive to check")->required();
  add_trusted_option(verb, *options);
  verb.footer(
      "Compares the file with its SHA-256 digest, then reads every tensor.\n"
      "Example:\n  pqw verify model.h5 && cp model.h5 /srv/models/");
  verb.callback([archive, options] {
    const std::size_t n = verify(*archive, *options);
    print_result(fmt::format("{}: whole: the digest matches, {} tensors are sound\n",
                             printable(*archive), n));
  });
}

}  // namespace pqw::tool
