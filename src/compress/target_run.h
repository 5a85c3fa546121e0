// Runs for a target: a search, and further searches until what was made fits the target.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "compress/input.h"
#include "compress/search.h"
#include "pqw/compress/compress.h"

namespace pqw {

// Searches and walks until the measured error or size fits the target (correction.h). Without a
// target it walks once. `walk` makes the archive by the plan of the input, and fills in the reports
// of its tensors and the bytes of the file; it may be called again.
// Errors: those of search and walk; kInvalidArgument if all archives are larger than the target.
void run_for_target(const Recipe& recipe, const std::string& path, CompressObserver* observer,
                    Input& input, std::function<void(Report&)> walk, Report& report);

// The first search of such a run, for a dry run; empty without a target. Errors: those of search.
std::optional<SearchResult> search_once(const std::optional<Target>& target,
                                        const std::string& path, CompressObserver* observer,
                                        Input& input);

}  // namespace pqw
