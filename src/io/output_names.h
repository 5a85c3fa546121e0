// Names that belong to an output beside its own.
#pragma once

namespace pqw {

// The temporary sibling that becomes the output (pqw/io/atomic_file.h).
inline constexpr char kTemporarySuffix[] = ".pqw.tmp";

// The folder of finished parts, which goes when the output is complete (pipeline/kept_tensors.h).
inline constexpr char kPartsSuffix[] = ".pqw.parts";

}  // namespace pqw
