// The command line that a verdict proposes.
#pragma once

#include <string>
#include <vector>

#include "pqw/pipeline/verdict.h"

namespace pqw::tool {

// "pqw quantize IN -o OUT --force FLAGS --target-error X" with X half of the mean error, and
// words quoted for a shell; with "--for serving" if the archive has pq and no tcq. Empty if the error
// is below 1e-6.
std::string next_command(const Verdict& verdict, const Report& report, const std::string& input,
                         const std::string& output, const std::vector<std::string>& flags);

// The word as a POSIX shell reads it back.
std::string quoted_for_shell(const std::string& word);

// "--block-size" of the setting "block_size".
std::string flag_of(std::string key);

}  // namespace pqw::tool
