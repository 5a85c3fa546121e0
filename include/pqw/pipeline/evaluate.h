// Inspects, measures and checks whole files.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "pqw/io/options.h"
#include "pqw/pipeline/report.h"

namespace pqw {

// Lists the tensors of an archive or a weight file, without measuring. All tensors of a weight file
// are plain. Tensors of an archive that this version cannot read are listed with the reason as
// their note. Errors: those of is_archive, ArchiveReader and open_weights.
Report inspect(const std::string& path, const ReadOptions& options = {});

// Compares a file with its compressed form: an archive, or a weight file decoded from one (there
// the tensors that differ count as compressed). Both must hold the same names and shapes. A plain
// tensor of an archive that is not equal to the original is measured and gets a note.
// `statistics` names a file of input statistics (calibration/statistics_file.h): then the tensors
// that have some are also measured by the outputs for the held-out inputs. Empty: none are.
// Errors: those of open_decoded; kInvalidArgument when names or shapes differ; those of
// StatisticsReader, which refuses statistics of another model than the original.
Report evaluate(const std::string& original, const std::string& compressed,
                const ReadOptions& options = {}, const std::string& statistics = "");

// Checks the digest of an archive, then everything in it. Returns the number of tensors.
// Errors: those of verify_digest, ArchiveReader and weight_from_record.
std::size_t verify(const std::string& archive, const ReadOptions& options = {});

// Adds the pairs of two tensors of float types and equal shape, in parallel and in a fixed order.
Distortion measure(DType original_dtype, std::span<const std::byte> original,
                   DType reconstruction_dtype, std::span<const std::byte> reconstruction);

}  // namespace pqw
