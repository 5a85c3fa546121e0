// The command-line tool: verbs, exit codes, signals.
#include <execinfo.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <new>
#include <string_view>

#include "pqw/cmd_bench.h"
#include "pqw/cmd_decode.h"
#include "pqw/cmd_eval.h"
#include "pqw/cmd_inspect.h"
#include "pqw/cmd_quantize.h"
#include "pqw/cmd_verify.h"
#include "pqw/console.h"
#include "pqw/environment.h"
#include "pqw/io/atomic_file.h"
#include "pqw/progress.h"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

// Leaves no half-written output behind, then dies of the signal as if it had not been caught.
extern "C" void on_fatal_signal(int signal) {
  if (pqw::remove_temporaries_in_signal_handler() > 0) {
    constexpr std::string_view kPlain = "\npqw: interrupted; the output is as it was\n";
    constexpr std::string_view kKept =
        "\npqw: interrupted; the output is as it was; --resume goes on from what is finished\n";
    const std::string_view text = pqw::tool::parts_are_kept != 0 ? kKept : kPlain;
    (void)!::write(STDERR_FILENO, text.data(), text.size());
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

const pid_t tool = ::getpid();

// libgomp and HDF5 call exit where they miss memory; HDF5 also in the processes that read.
extern "C" void at_exit() {
  if (::getpid() != tool || pqw::remove_temporaries_in_signal_handler() == 0) return;
  constexpr std::string_view kText = "pqw: ended by a library; the output is as it was\n";
  (void)!::write(STDERR_FILENO, kText.data(), kText.size());
  std::_Exit(kFailed);
}

void catch_fatal_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (std::signal(signal, on_fatal_signal) == SIG_IGN) std::signal(signal, SIG_IGN);
  }
}

int run(int argc, char** argv) {
  CLI::App app("Compress neural-network weights with product quantization.", "pqw");
  app.set_version_flag("--version", "pqw " PQW_VERSION);
  app.require_subcommand(1);
  app.footer("'pqw VERB --help' explains a verb and shows an example.");
  pqw::tool::add_quantize(app);
  pqw::tool::add_decode(app);
  pqw::tool::add_inspect(app);
  pqw::tool::add_verify(app);
  pqw::tool::add_eval(app);
  pqw::tool::add_bench(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
}

// glibc loads the unwinder for exceptions that pass through it (as from std::call_once) only when
// one does, and ends the process if it cannot: when memory has run out, it has to be there.
void load_unwinder() {
  void* frame = nullptr;
  (void)::backtrace(&frame, 1);
}

}  // namespace

int main(int argc, char** argv) {
  pqw::tool::restart_with_environment(argv);
  load_unwinder();
  catch_fatal_signals();
  std::atexit(at_exit);
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    pqw::tool::print_error("out of memory");
  } catch (const std::exception& error) {
    pqw::tool::print_error(error.what());
  }
  return kFailed;
}
