// Archives damaged after they were written, or because a disk did not keep what was.
#pragma once

namespace pqw::torture {

// Each prints its rows and returns whether nothing went wrong. `all`: every bit, every length;
// otherwise a sample of them.
bool flip_bits(bool all);
bool truncate(bool all);
bool append_bytes(bool all);
bool lose_sectors(bool all);

// The power fails while an archive is written, on a disk that keeps any sectors of the writes so
// far although it reported a sync.
bool lose_power(bool all);

}  // namespace pqw::torture
