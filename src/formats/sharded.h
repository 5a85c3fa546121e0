// Models in several files: the tensors of all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "formats/shard_index.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// The tensors of these files, file by file; they are opened by their content. A tensor may be in one
// of them only; if there is an index, in the file that the index says. Tensors that the index does
// not list are kept. `path` is the index, or the folder. The first file with a key of metadata gives its value; keys whose values differ
// are listed in skipped().
// Errors: those of open_weights; kFormat.
std::unique_ptr<WeightReader> open_shards(const std::string& path,
                                          std::span<const std::string> files,
                                          const ReadOptions& options,
                                          const ShardIndex* index = nullptr,
                                          std::uint64_t index_bytes = 0);

}  // namespace pqw
