// Archives damaged after they were written.
#pragma once

namespace pqw::torture {

// Each prints its rows and returns whether nothing went wrong. `all`: every bit, every length;
// otherwise a sample of them.
bool flip_bits(bool all);
bool truncate(bool all);
bool append_bytes(bool all);
bool lose_sectors(bool all);

// The power fails at any moment of writing, on a disk that keeps any part of what it was given and
// reports a sync that did not happen: files that a rename has made visible all the same.
bool lose_power(bool all);

}  // namespace pqw::torture
