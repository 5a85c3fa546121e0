// The command line that a verdict proposes.
#pragma once

#include <string>
#include <vector>

#include "pqw/pipeline/verdict.h"

namespace pqw::tool {

// "pqw quantize IN -o OUT --force FLAGS --block-size 3 --centroids 256", with words quoted for a
// shell. Empty if the verdict has no finer options.
std::string next_command(const Verdict& verdict, const std::string& input,
                         const std::string& output, const std::vector<std::string>& flags);

// "--block-size" of the setting "block_size".
std::string flag_of(std::string key);

}  // namespace pqw::tool
