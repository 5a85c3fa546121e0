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

// Throws kFormat unless the file starts as an archive does, saying what it is instead. Errors: also
// those of is_archive.
void require_archive(const std::string& path);

// Opens an archive as a file of decoded tensors in their original types, or a weight file as it is
// (formats/weight_file.h), by content. Errors: those of ArchiveReader and open_weights.
std::unique_ptr<WeightReader> open_decoded(const std::string& path,
                                           const ReadOptions& options = {});

// A compressed tensor of an archive; where it is a layer that shares the factors of another tensor,
// with those. Errors: those of ArchiveReader and weight_from_record.
// REQUIRES: archive.entries()[index].codec != "plain".
Weight read_compressed(const ArchiveReader& archive, std::size_t index);

// A tensor of an archive to compute with: compressed as it is, or plain.
// Errors: kNotFound, and those of ArchiveReader.
Weight load_weight(const ArchiveReader& archive, const std::string& name);

// A tensor of any float type as floats, decoded: biases, norms. Errors: as above;
// kInvalidArgument when it is not of a float type.
std::vector<float> load_floats(const ArchiveReader& archive, const std::string& name);

// Decodes rows to the original type. REQUIRES: `bytes` has room for exactly those rows.
void decode_rows_to(const Weight& weight, DType dtype, std::size_t first, std::size_t n_rows,
                    std::span<std::byte> bytes);

}  // namespace pqw
