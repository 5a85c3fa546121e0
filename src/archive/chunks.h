// The digests of the chunks of /data: writing them, and reading with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "archive/digest.h"
#include "archive/layout.h"
#include "core/subject.h"
#include "io/input_file.h"

namespace pqw::archive {

// Every chunk has kChunkBytes, but the last one may be shorter.
constexpr std::uint64_t n_chunks(std::uint64_t data_bytes) {
  return data_bytes / kChunkBytes + (data_bytes % kChunkBytes != 0 ? 1 : 0);
}

// Makes the digests of data that comes in pieces.
class ChunkDigests {
 public:
  void update(std::span<const std::byte> bytes);

  // REQUIRES: nothing is added afterwards.
  std::vector<Digest> finish();

 private:
  std::vector<Digest> digests_;
  Sha256 sum_;
  std::size_t n_bytes_ = 0;  // in the chunk that is not complete
};

// Where bytes are in a file.
struct Area {
  std::uint64_t begin = 0;
  std::uint64_t n_bytes = 0;
};

// Reads data and compares it with its digests, chunk by chunk. Keeps the last chunk that it read a
// part of, for the next tensor. Safe for use from several threads at once.
class ChunkReader {
 public:
  // The digests are n_chunks(data.n_bytes) times 32 bytes. `file` outlives the reader.
  ChunkReader(const InputFile& file, Area data, Area digests)
      : file_(file), data_(data), digests_(digests) {}

  // REQUIRES: `begin` and the end are in the data. Errors: kIo, and those of the subject.
  void read(std::uint64_t begin, std::span<std::byte> bytes, const Subject& subject) const;

 private:
  void read_chunk(std::uint64_t chunk, std::span<std::byte> bytes, const Digest& expected,
                  const Subject& subject) const;

  const InputFile& file_;
  Area data_, digests_;
  mutable std::mutex mutex_;                  // of what follows
  mutable std::vector<std::byte> last_ = {};  // the bytes of a chunk that was compared
  mutable std::uint64_t last_chunk_ = UINT64_MAX;
};

}  // namespace pqw::archive
