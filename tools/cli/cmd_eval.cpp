// pqw eval: how far a compressed file is from its original.

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/report_json.h"
#include "cli/report_table.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw::tool {
namespace {

struct Arguments {
  std::string original;
  std::string compressed;
  ReadOptions reading;
  bool json = false;
};

}  // namespace

void add_eval(CLI::App& app) {
  CLI::App& verb = *app.add_subcommand("eval", "measure the error of an archive");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("ORIGINAL", arguments->original, "the weights before compression")->required();
  verb.add_option("ARCHIVE", arguments->compressed, "the archive, or a file decoded from it")
      ->required();
  add_threads_option(verb);
  add_trusted_option(verb, arguments->reading);
  verb.add_flag("--json", arguments->json, "print the report as JSON");
  verb.footer(
      "relative error = sum (w - w')^2 / sum w^2, over the compressed tensors; SQNR is its inverse "
      "in dB.\namplitude = sum w w' / sum w^2: how much of a layer's signal survives; 1 is "
      "unbiased.\nIn a decoded file, the tensors that differ from the original count as "
      "compressed.\n"
      "Example:\n  pqw eval model.safetensors model.h5");
  verb.callback([arguments] {
    const auto start = std::chrono::steady_clock::now();
    Report report = evaluate(arguments->original, arguments->compressed, arguments->reading);
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    print_skipped(report.skipped);
    print_result(arguments->json ? to_json(report) : to_table(report));
  });
}

}  // namespace pqw::tool
