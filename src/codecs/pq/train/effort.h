// The effort: how long pq searches for codebooks.
#pragma once

#include <cstddef>

#include "pqw/codecs/pq.h"

namespace pqw {

// Gives restarts, iterations and tolerance the values of the effort, unless they are given.
// `n_values`: weights per codebook.
void resolve_effort(PqOptions& options, std::size_t n_values);

}  // namespace pqw
