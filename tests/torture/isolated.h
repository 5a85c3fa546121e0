// Work on many cases in child processes, so that a crash or a hang counts as one case.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

namespace pqw::torture {

// What came of each case: the letter that the work returned, or one of these.
inline constexpr char kCrash = 'C';
inline constexpr char kHang = 'H';  // longer than 10 s

using Counts = std::map<char, std::size_t>;

// Calls work(i) for all i below n_cases, each in a child process (which may work on many).
// `describe` names a case that crashed or hung on stderr.
Counts run_isolated(std::size_t n_cases, const std::function<char(std::size_t)>& work,
                    const std::function<std::string(std::size_t)>& describe);

// Prints a row of the table.
void print_row(const std::string& name, const Counts& counts,
               const std::map<char, std::string>& names);

}  // namespace pqw::torture
