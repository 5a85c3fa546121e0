// Text that the tool prints.
#include "cli/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/io/options.h"
#include "timing/threads.h"

namespace pqw::tool {

void print_talk(const std::string& text) {
  // A closed or full stderr does not stop the work.
  (void)std::fputs(text.c_str(), stderr);
  (void)std::fflush(stderr);
}

void print_error(std::string_view message) noexcept {
  try {
    print_talk("pqw: " + printable(message) + "\n");
  } catch (const std::bad_alloc&) {  // no memory for the text with its escapes
    (void)std::fputs("pqw: ", stderr);
    for (const char c : message)
      (void)std::fputc(static_cast<signed char>(c) < ' ' || c == '\x7f' ? '?' : c, stderr);
    (void)std::fputc('\n', stderr);
  }
}

void print_note(std::string_view message) { print_talk(printable(message) + "\n"); }

void print_skipped(const std::vector<Skipped>& skipped) {
  for (const Skipped& item : skipped) print_note("skipped: " + to_string(item));
}

void print_result(std::string_view text) {
  const bool ok =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!ok) throw Error(ErrorCode::kIo, "cannot write to standard output");
}

std::string human_bytes(double bytes) {
  if (bytes < 1e3) return fmt::format("{} B", bytes);
  if (bytes < 1e6) return fmt::format("{:.2f} kB", bytes / 1e3);
  if (bytes < 1e9) return fmt::format("{:.2f} MB", bytes / 1e6);
  return fmt::format("{:.2f} GB", bytes / 1e9);
}

std::size_t line_width(int stream) {
  constexpr std::size_t kDefault = 100;
  constexpr long kMost = 10'000;
  const char* const columns = std::getenv("COLUMNS");
  const long wanted = columns == nullptr ? 0 : std::strtol(columns, nullptr, 10);
  if (wanted > 0) return static_cast<std::size_t>(std::min(wanted, kMost));
  winsize size{};
  const bool known = ::ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : kDefault;
}

void add_threads_option(CLI::App& verb) {
  constexpr std::size_t kDefault = 0;
  const auto threads = std::make_shared<std::size_t>(kDefault);
  verb.add_option("--threads", *threads, "threads to use (default: all cores)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  verb.parse_complete_callback([threads] {
    timing::use_threads(*threads == kDefault ? timing::default_threads() : *threads);
  });
}

void add_report_options(CLI::App& verb, bool& json, bool& all) {
  verb.add_flag("--json", json, "print the report as JSON (docs/json.md)");
  verb.add_flag("--all", all, "list plain tensors too, not only their number and the reasons");
}

void add_output_options(CLI::App& verb, bool& force, bool& json, bool& quiet) {
  verb.add_flag("--force", force, "replace an existing output");
  verb.add_flag("--json", json, "print the result as JSON (docs/json.md)");
  verb.add_flag("--quiet", quiet, "no notes");
}

void add_trusted_option(CLI::App& verb, ReadOptions& options) {
  verb.add_flag("--trusted", options.trusted,
                "parse HDF5 files in this process and not in a sandbox; use it only for files "
                "whose origin you know");
}

}  // namespace pqw::tool
