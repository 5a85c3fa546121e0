// Overwrites the values of tensors in the bytes of an HDF5 file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "formats/hdf5_places.h"

namespace pqw {

// The places of these tensors, which `all` has under their names. Errors: kUnsupported, for the
// first whose values cannot be overwritten.
std::vector<Hdf5Place> places_of(const std::string& path, std::vector<Hdf5Place> all,
                                 const std::vector<TensorInfo>& tensors);

// Calls write(offset, bytes) with the values of one tensor, row-major and little-endian, as the file
// has them.
void write_hdf5_values(
    const Hdf5Place& place, std::span<const std::byte> bytes,
    const std::function<void(std::uint64_t offset, std::span<const std::byte>)>& write);

}  // namespace pqw
