// Link lists and dataspaces, for everything that is created.
#include "h5/create.h"

#include <hdf5.h>

#include <cstdint>
#include <vector>

namespace pqw::h5 {
namespace {

void append(std::vector<unsigned char>& out, std::uint64_t value, int n_bytes) {
  for (int i = 0; i < n_bytes; ++i) out.push_back(static_cast<unsigned char>(value >> (8 * i)));
}

}  // namespace

Handle link_list(const Subject& subject) {
  initialize();
  Handle list = own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, subject, "create a property list");
  check(H5Pset_char_encoding(list.id(), H5T_CSET_UTF8), subject, "set the encoding of names");
  return list;
}

// H5Screate_simple stores each dimension twice, as size and as maximum. The maximum is optional in
// the file format and costs 8 bytes per dimension, but only a decoded dataspace can be without it.
// Layout (of H5Sencode): message type 1, version 0, size of a size; u32 bytes of the message; the
// message: version 2, rank, flags (no maximum), simple, u64 dimensions; the selection: u32 all (3),
// version 1, unused, length 0.
Handle create_space(std::span<const std::size_t> shape, const Subject& subject) {
  initialize();
  if (shape.empty()) return own(H5Screate(H5S_SCALAR), H5Sclose, subject, "create a dataspace");
  std::vector<unsigned char> encoded = {1, 0, 8};
  append(encoded, 4 + 8 * shape.size(), 4);
  encoded.insert(encoded.end(), {2, static_cast<unsigned char>(shape.size()), 0, 1});
  for (const std::size_t dim : shape) append(encoded, dim, 8);
  for (const unsigned value : {3u, 1u, 0u, 0u}) append(encoded, value, 4);
  return own(H5Sdecode(encoded.data()), H5Sclose, subject, "create a dataspace");
}

}  // namespace pqw::h5
