// What the tool says: results on stdout, talk on stderr, control characters escaped.
#pragma once

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

// Text on stderr as it is; that it cannot be written is no error.
void print_talk(const std::string& text);

// One line "pqw: <message>" on stderr.
void print_error(std::string_view message) noexcept;

// One line on stderr.
void print_note(std::string_view message);

// What an input holds beside tensors, a line each on stderr.
void print_skipped(const std::vector<Skipped>& skipped);

// Results. Errors: kIo when stdout cannot be written.
void print_result(std::string_view text);

// "12.3 MB" (decimal units)
std::string human_bytes(double bytes);

// Adds --threads, which takes effect before the verb starts.
void add_threads_option(CLI::App& verb);

// Adds --trusted. The options must be there when the command line is parsed.
void add_trusted_option(CLI::App& verb, ReadOptions& options);

}  // namespace pqw::tool
