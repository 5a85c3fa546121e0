// The names derived from an output, and the checks that none of them is an input or another output.
#pragma once

#include <span>
#include <string>

namespace pqw {

// The temporary sibling that becomes the output (pqw/io/atomic_file.h).
inline constexpr char kTemporarySuffix[] = ".pqw.tmp";

// The folder of finished parts, which is removed when the output is complete
// (compress/checkpoint.h).
inline constexpr char kPartsSuffix[] = ".pqw.parts";

// Throws if writing `output` would replace or remove an input: the input is the output, its
// temporary sibling, or in its folder of parts, or in the output if that is a folder, under any name
// or link. Ignores names that are empty or do not exist. Call it before any work.
// Errors: SameFileError.
void require_different_files(std::span<const std::string> inputs, const std::string& output);

// Throws if two outputs of one run would replace each other: one is the other, its temporary
// sibling, or in its folder of parts. Neither needs to exist. Ignores empty names. Errors:
// SameFileError.
void require_different_outputs(const std::string& first, const std::string& second);

}  // namespace pqw
