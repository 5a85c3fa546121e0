// Elements of a .npy file rearranged: row-major, little-endian.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/subject.h"
#include "formats/npy_header.h"

namespace pqw {

// True when the stored bytes are not yet row-major and little-endian.
bool needs_conversion(const NpyHeader& header);

// Throws kIo when there is not enough memory.
std::vector<std::byte> allocate_bytes(const Subject& subject, std::size_t size);

// Copies elements stored with the first index running fastest into row-major order.
// REQUIRES: both hold element_count(shape) elements, which is not 0, and do not overlap.
void fortran_to_row_major(std::span<const std::size_t> shape, std::size_t element_bytes,
                          std::span<const std::byte> from, std::span<std::byte> to);

// The stored bytes, converted as far as needed. REQUIRES: stored.size() == header.data_bytes.
std::vector<std::byte> convert_npy(const Subject& subject, const NpyHeader& header,
                                   std::span<const std::byte> stored);

}  // namespace pqw
