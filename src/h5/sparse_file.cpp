// A file in memory in which only written blocks take space, for HDF5 to write to.
#include "h5/sparse_file.h"

#include <algorithm>

namespace pqw::h5 {

void SparseFile::resize(std::uint64_t size) {
  if (size < size_) {
    const std::uint64_t n_blocks = (size + kBlockBytes - 1) / kBlockBytes;
    blocks_.erase(blocks_.lower_bound(n_blocks), blocks_.end());
    const auto last = blocks_.find(size / kBlockBytes);
    if (last != blocks_.end()) {
      std::ranges::fill(std::span(last->second).subspan(size % kBlockBytes), std::byte{0});
    }
  }
  size_ = size;
}

void SparseFile::write(std::uint64_t address, std::span<const std::byte> bytes) {
  size_ = std::max(size_, address + bytes.size());
  while (!bytes.empty()) {
    const std::size_t begin = address % kBlockBytes;
    const std::size_t n = std::min(kBlockBytes - begin, bytes.size());
    std::ranges::copy(bytes.first(n),
                      blocks_[address / kBlockBytes].begin() + static_cast<std::ptrdiff_t>(begin));
    address += n;
    bytes = bytes.subspan(n);
  }
}

void SparseFile::read(std::uint64_t address, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const std::size_t begin = address % kBlockBytes;
    const std::size_t n = std::min(kBlockBytes - begin, bytes.size());
    const auto block = blocks_.find(address / kBlockBytes);
    if (block == blocks_.end()) {
      std::ranges::fill(bytes.first(n), std::byte{0});
    } else {
      std::ranges::copy(std::span(block->second).subspan(begin, n), bytes.begin());
    }
    address += n;
    bytes = bytes.subspan(n);
  }
}

}  // namespace pqw::h5
