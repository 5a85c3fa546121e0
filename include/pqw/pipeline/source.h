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

// Opens an archive as a file of decoded tensors in their original types, or a weight file as it is
// (formats/weight_file.h), by content. Errors: those of ArchiveReader and open_weights.
std::unique_ptr<WeightReader> open_decoded(const std::string& path);

// A tensor of an archive as it was: the type of its entry is not its own where archives do not have
// that (codecs/carried.h). Errors: kCorrupt.
TensorInfo original_info(const ArchiveReader& archive, std::size_t index);

// The index of the tensor whose values a tensor has: of an alias (codecs/alias.h) the one that it
// equals, else the index itself. Errors: those of ArchiveReader; kCorrupt when that one is not
// there, an alias or of another type or shape.
std::size_t stored_index(const ArchiveReader& archive, std::size_t index);

// Whether a tensor is stored byte for byte, and those bytes. Errors: those of ArchiveReader and
// carried_bytes. REQUIRES: no alias; of read_exact: is_exact.
bool is_exact(const ArchiveReader& archive, std::size_t index);
std::vector<std::byte> read_exact(const ArchiveReader& archive, std::size_t index);

// A compressed tensor of an archive; where it is a layer that shares the factors of another tensor,
// with those. Errors: those of ArchiveReader and weight_from_record.
// REQUIRES: no alias, and not is_exact.
Weight read_compressed(const ArchiveReader& archive, std::size_t index);

// A tensor of an archive, or what it is an alias of, to compute with: compressed as it is, or
// plain. Errors: kNotFound, kInvalidArgument when it is of a type that archives do not have, and
// those of ArchiveReader.
Weight load_weight(const ArchiveReader& archive, const std::string& name);

// A tensor of any float type as floats, decoded: biases, norms. Errors: as above;
// kInvalidArgument when it is not of a float type.
std::vector<float> load_floats(const ArchiveReader& archive, const std::string& name);

// Decodes rows to the original type. REQUIRES: `bytes` has room for exactly those rows.
void decode_rows_to(const Weight& weight, DType dtype, std::size_t first, std::size_t n_rows,
                    std::span<std::byte> bytes);

}  // namespace pqw
