// Archives and weight files read alike.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pqw/archive/archive.h"
#include "pqw/codecs/weight.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// Throws kFormat unless the file starts with the magic of an archive; the message says which format
// it has. Errors: also those of is_archive.
void require_archive(const std::string& path);

// Opens an archive as a file of decoded tensors in their original types, or a weight file as it is
// (formats/weight_file.h), by content. Errors: those of ArchiveReader and open_weights.
std::unique_ptr<WeightReader> open_decoded(const std::string& path,
                                           const ReadOptions& options = {});

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

// A tensor of an archive, or the target of an alias, for computations. It stays compressed or
// plain. Errors: kNotFound, kInvalidArgument when archives do not have its type, and those of
// ArchiveReader.
Weight load_weight(const ArchiveReader& archive, const std::string& name);

// A tensor of any float type as floats, decoded: biases, norms. Errors: as above;
// kInvalidArgument when it is not of a float type.
std::vector<float> load_floats(const ArchiveReader& archive, const std::string& name);

// Decodes rows to the original type. REQUIRES: `bytes` has room for exactly those rows.
void decode_rows_to(const Weight& weight, DType dtype, std::size_t first, std::size_t n_rows,
                    std::span<std::byte> bytes);

}  // namespace pqw
