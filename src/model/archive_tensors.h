// The tensors of an archive by index: what is stored, and what it stands for.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pqw/archive/archive.h"
#include "pqw/codecs/weight.h"

namespace pqw {

// The original name, type and shape of a tensor. The type differs from the type of its entry if
// archives do not have the original type (codecs/carried.h). Errors: kCorrupt.
TensorInfo original_info(const ArchiveReader& archive, std::size_t index);

// The index of the tensor that stores the values: for an alias (codecs/alias.h) its target, else
// the index itself. Errors: those of ArchiveReader; kCorrupt when the target is missing, is an
// alias, or has another type or shape.
std::size_t stored_index(const ArchiveReader& archive, std::size_t index);

// is_exact: whether a tensor is stored byte for byte. read_exact: those bytes. Errors: those of
// ArchiveReader and carried_bytes. REQUIRES: not an alias; for read_exact: is_exact.
bool is_exact(const ArchiveReader& archive, std::size_t index);
std::vector<std::byte> read_exact(const ArchiveReader& archive, std::size_t index);

// A compressed tensor of an archive, with the factors of another tensor if it shares them. Errors:
// those of ArchiveReader and weight_from_record. REQUIRES: not an alias, and not is_exact.
Weight read_compressed(const ArchiveReader& archive, std::size_t index);

// Decodes rows to the original type. REQUIRES: `bytes` has room for exactly those rows.
void decode_rows_to(const Weight& weight, DType dtype, std::size_t first, std::size_t n_rows,
                    std::span<std::byte> bytes);

}  // namespace pqw
