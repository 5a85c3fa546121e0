// A file in memory in which only written blocks take space, for HDF5 to write to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

namespace pqw::h5 {

class SparseFile {
 public:
  std::uint64_t size() const { return size_; }
  void resize(std::uint64_t size);

  // Grows the file as needed. Errors: std::bad_alloc.
  void write(std::uint64_t address, std::span<const std::byte> bytes);

  // Zeros where nothing was written.
  void read(std::uint64_t address, std::span<std::byte> bytes) const;

 private:
  static constexpr std::size_t kBlockBytes = 4096;
  using Block = std::array<std::byte, kBlockBytes>;

  std::map<std::uint64_t, Block> blocks_;  // by address / kBlockBytes
  std::uint64_t size_ = 0;
};

}  // namespace pqw::h5
