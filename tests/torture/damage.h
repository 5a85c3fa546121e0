// Archives damaged after they were written.
#pragma once

namespace pqw::torture {

// Each prints its rows and returns whether nothing went wrong. `all`: every bit, every length;
// otherwise a sample of them.
bool flip_bits(bool all);
bool truncate(bool all);
bool append_bytes(bool all);
bool lose_sectors(bool all);

}  // namespace pqw::torture
