// Text that the tool prints: results on stdout, everything else on stderr, control characters
// escaped.
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/formats/weight_file.h"

namespace CLI {
class App;
}

namespace pqw {
struct ReadOptions;
}

namespace pqw::tool {

// Prints text on stderr as it is. A stderr that cannot be written is not an error.
void print_talk(const std::string& text);

// One line "pqw: <message>" on stderr.
void print_error(std::string_view message) noexcept;

// One line on stderr.
void print_note(std::string_view message);

// Items of an input that are not tensors and were left out: one line each on stderr.
void print_skipped(const std::vector<Skipped>& skipped);

// Prints a result on stdout. Errors: kIo when stdout cannot be written.
void print_result(std::string_view text);

// "12.3 MB" (decimal units)
std::string human_bytes(double bytes);

// Characters that a line of that stream may have: the variable COLUMNS, else the width of its
// terminal, else 100.
std::size_t line_width(int stream);

// The work was done, but the result breaks a limit that the user set: exit code 3.
struct LimitExceeded : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Adds --threads, which takes effect before the verb starts.
void add_threads_option(CLI::App& verb);

// Adds --json and --all. Both must outlive the parsing of the command line.
void add_report_options(CLI::App& verb, bool& json, bool& all);

// Adds --force, --json and --quiet. All must outlive the parsing of the command line.
void add_output_options(CLI::App& verb, bool& force, bool& json, bool& quiet);

// Adds --trusted. `options` must outlive the parsing of the command line.
void add_trusted_option(CLI::App& verb, ReadOptions& options);

// A note if the extension of an archive does not say that it is HDF5.
void print_unusual_extension(const std::string& archive);

// Calls `write`, which writes `output`, then `report`. If one of them throws, also when memory runs
// out, the error message ends with what became of the file: it is as it was, was not written, or is
// complete. An empty `output` means that there is none.
void write_output(const std::string& output, const std::function<void()>& write,
                  const std::function<void()>& report);

}  // namespace pqw::tool
