// The command-line tool: verbs, exit codes.
#include <execinfo.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <iostream>
#include <new>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/process.h"
#include "cli/usage.h"
#include "pqw/core/error.h"
#include "timing/threads.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kLimitExceeded = 3;

int run(int argc, char** argv) {
  CLI::App app("Compress neural-network weights with product quantization.", "pqw");
  app.set_version_flag("--version", "pqw " PQW_VERSION);
  app.require_subcommand(1);
  app.footer(
      "'pqw VERB --help' explains a verb and shows an example.\n"
      "Exit codes: 0 success, 1 failure, 2 wrong command line, 3 eval: a limit is exceeded.");
  pqw::tool::add_quantize(app);
  pqw::tool::add_calibrate(app);
  pqw::tool::add_import(app);
  pqw::tool::add_decode(app);
  pqw::tool::add_export(app);
  pqw::tool::add_inspect(app);
  pqw::tool::add_verify(app);
  pqw::tool::add_eval(app);
  pqw::tool::add_sensitivity(app);
  pqw::tool::add_bench(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      const int status = app.exit(error);
      if (!std::cout.flush())
        throw pqw::Error(pqw::ErrorCode::kIo, "cannot write to standard output");
      return status;
    }
    pqw::tool::print_error(pqw::tool::usage_message(app, {argv, argv + argc}, error));
    return kUsage;
  }
}

// glibc loads the unwinder when the first exception passes through glibc (for example out of
// std::call_once), and ends the process if it cannot load it. So load it before memory can run out.
void load_unwinder() {
  void* frame = nullptr;
  (void)::backtrace(&frame, 1);
}

}  // namespace

bool pqw::timing::contenders_take_turns(int argc, char** argv) {
  return argc > 1 && std::strcmp(argv[1], "bench") == 0;
}

int main(int argc, char** argv) {
  load_unwinder();
  pqw::tool::leave_nothing_behind();
  try {
    pqw::tool::adapt_limits();
    return run(argc, argv);
  } catch (const pqw::tool::LimitExceeded& error) {
    pqw::tool::print_error(error.what());
    return kLimitExceeded;
  } catch (const std::bad_alloc&) {
    pqw::tool::print_error("out of memory");
  } catch (const std::exception& error) {
    pqw::tool::print_error(error.what());
  }
  return kFailed;
}
