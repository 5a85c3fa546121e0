// Names derived from the name of an output.
#pragma once

namespace pqw {

// The temporary sibling that becomes the output (pqw/io/atomic_file.h).
inline constexpr char kTemporarySuffix[] = ".pqw.tmp";

// The folder of finished parts, which is removed when the output is complete
// (compress/checkpoint.h).
inline constexpr char kPartsSuffix[] = ".pqw.parts";

}  // namespace pqw
