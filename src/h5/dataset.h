// HDF5 datasets of numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "h5/types.h"
#include "pqw/core/tensor.h"

namespace pqw::h5 {

// HDF5's limit on dimensions.
inline constexpr std::size_t kMaxRank = 32;

enum class Storage {
  kContiguous,
  kPacked,    // the same with the smallest header, for files of FileKind::kArchive
  kDeflated,  // as kPacked, but one chunk, which the filter deflate makes smaller if it can
};

// Allocates all of the data at once unless it is deflated; what is not written is undefined. The
// shape must be valid. `link` is a path relative to `parent`, the groups of which exist.
Handle create_dataset(Id parent, const std::string& link, DType dtype,
                      std::span<const std::size_t> shape, Storage storage, const Subject& subject);

// REQUIRES: `bytes` has the size of the whole dataset.
void write_dataset(Id dataset, std::span<const std::byte> bytes, const Subject& subject);

enum class Layout { kCompact, kContiguous, kChunked, kOther };

// A dataset as its headers describe it, unchecked.
struct DatasetInfo {
  std::optional<FoundType> type;  // empty: not a number
  bool is_text = false;           // a fixed-length string, of `element_bytes`
  std::size_t element_bytes = 0;
  bool has_space = false;  // scalar or simple; a null dataspace holds nothing
  Shape shape;
  Layout layout = Layout::kOther;
  std::uint64_t stored_bytes = 0;       // of the raw data in the file, 0 when not allocated
  std::optional<std::uint64_t> offset;  // of contiguous data, from the start of the file
  Shape chunk;                          // of chunks; empty for other layouts
  std::uint64_t chunk_bytes = 0;        // unpacked; 0 for other layouts
  std::vector<int> filters;             // HDF5's numbers: 1 deflate, 2 shuffle, 3 fletcher32, ...
  bool is_external = false;             // the data is in other files
};

DatasetInfo describe(Id dataset, const Subject& subject);

// Where the first element of a chunk is in the dataset and, of files without a user block, in the
// file.
struct Chunk {
  Shape start;
  std::uint64_t offset = 0;
};

// The chunks that were written. More than max_count are an error. REQUIRES: a chunked dataset of
// that rank.
std::vector<Chunk> list_chunks(Id dataset, std::size_t rank, std::size_t max_count,
                               const Subject& subject);

// All bytes as stored, in the byte order of the file. REQUIRES: `bytes` has the size of the whole
// dataset.
void read_dataset(Id dataset, std::span<std::byte> bytes, const Subject& subject);

}  // namespace pqw::h5
