// Tensors of more elements than 31 bits count.
#pragma once

namespace pqw::torture {

// Prints its row and returns whether they came back as they were. Takes 13 GiB of memory and 10 GB
// of disk in /var/tmp, so only where `all` is set.
bool pass_large_tensors(bool all);

}  // namespace pqw::torture
