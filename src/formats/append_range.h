// Copies bytes of an input to an output, a piece at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "io/input_file.h"
#include "pqw/io/atomic_file.h"

namespace pqw {

// Appends the bytes begin .. end-1. Errors: kIo.
inline void append_range(AtomicFile& to, const InputFile& from, std::uint64_t begin,
                         std::uint64_t end) {
  constexpr std::uint64_t kPiece = 1 << 20;
  while (begin < end) {
    const auto n = static_cast<std::size_t>(std::min(kPiece, end - begin));
    to.write(from.read(begin, n));
    begin += n;
  }
}

}  // namespace pqw
