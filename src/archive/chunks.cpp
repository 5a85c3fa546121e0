// The digests of the chunks of /data.
#include "archive/chunks.h"

#include <algorithm>

namespace pqw::archive {

void ChunkDigests::update(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), kChunkBytes - n_bytes_));
    sum_.update(piece);
    n_bytes_ += piece.size();
    bytes = bytes.subspan(piece.size());
    if (n_bytes_ == kChunkBytes) {
      digests_.push_back(sum_.finish());
      sum_ = Sha256();
      n_bytes_ = 0;
    }
  }
}

std::vector<Digest> ChunkDigests::finish() {
  if (n_bytes_ > 0) digests_.push_back(sum_.finish());
  return std::move(digests_);
}

void ChunkReader::read_chunk(std::uint64_t chunk, std::span<std::byte> bytes,
                             const Digest& expected, const Subject& subject) const {
  const std::uint64_t begin = chunk * kChunkBytes;
  file_.read_at(data_.begin + begin, bytes);
  const Digest found = sha256(bytes);
  if (found == expected) return;
  throw subject.error("bytes {} to {} of the data have the SHA-256 {}, the manifest says {}", begin,
                      begin + bytes.size() - 1, to_hex(found), to_hex(expected));
}

void ChunkReader::read(std::uint64_t begin, std::span<std::byte> bytes,
                       const Subject& subject) const {
  if (bytes.empty()) return;
  const std::uint64_t end = begin + bytes.size();
  const std::uint64_t first = begin / kChunkBytes;
  std::vector<Digest> digests(n_chunks(end) - first);
  file_.read_at(digests_.begin + first * sizeof(Digest),
                std::as_writable_bytes(std::span(digests)));
  for (std::uint64_t chunk = first; chunk * kChunkBytes < end; ++chunk) {
    const std::uint64_t from = chunk * kChunkBytes;
    const std::uint64_t to = std::min(from + kChunkBytes, data_.n_bytes);
    const Digest& expected = digests[chunk - first];
    if (begin <= from && to <= end) {
      read_chunk(chunk, bytes.subspan(from - begin, to - from), expected, subject);
      continue;
    }
    const std::lock_guard lock(mutex_);
    if (last_chunk_ != chunk) {
      last_chunk_ = UINT64_MAX;
      last_.resize(to - from);
      read_chunk(chunk, last_, expected, subject);
      last_chunk_ = chunk;
    }
    const std::uint64_t lower = std::max(begin, from), upper = std::min(end, to);
    std::ranges::copy(std::span(last_).subspan(lower - from, upper - lower),
                      bytes.begin() + static_cast<std::ptrdiff_t>(lower - begin));
  }
}

}  // namespace pqw::archive
