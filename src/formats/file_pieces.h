// A range of a file, piece by piece.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "io/input_file.h"

namespace pqw {

// Calls `use` with these bytes of the file, as spans of at most 1 MiB. Errors: kIo.
template <class Use>
void for_each_piece(const InputFile& file, std::uint64_t offset, std::uint64_t n_bytes,
                    const Use& use) {
  constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;
  std::vector<std::byte> piece(std::min(kPieceBytes, n_bytes));
  for (std::uint64_t done = 0; done < n_bytes; done += piece.size()) {
    const std::span<std::byte> part =
        std::span(piece).first(std::min<std::uint64_t>(piece.size(), n_bytes - done));
    file.read_at(offset + done, part);
    use(std::span<const std::byte>(part));
  }
}

}  // namespace pqw
