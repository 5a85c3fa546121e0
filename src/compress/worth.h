// Decides whether an encoding is worth storing: smaller than its tensor, and close to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "pqw/codecs/encode.h"
#include "pqw/codecs/input_statistics.h"
#include "pqw/core/distortion.h"
#include "pqw/core/output_error.h"

namespace pqw {

// True if so many tensors like this one are larger than a weight of that many bytes with the
// entries that it takes in the tables of an archive.
bool shrinks(std::uint64_t bytes, const TensorInfo& info, std::size_t n_tensors = 1);

// Measures the decoded weight, in the type of the original, against the original.
Distortion measure_stored(std::span<const std::byte> original, const TensorInfo& info,
                          const Weight& weight);

// Measures the outputs of the decoded weight for the held-out inputs, against those of the original.
OutputError measure_outputs_of(std::span<const std::byte> original, const TensorInfo& info,
                               const Weight& weight, const InputStatistics& inputs);

// Whether the codec, with these options, encodes by these statistics; else it ignores them.
bool uses_statistics(const CodecOptions& options, const InputStatistics& inputs);

// The outputs and the size of a weight. The errors are those for the held-out inputs; without
// held-out inputs, those for the inputs of the statistics (judge_outputs).
struct JudgedOutputs {
  OutputError outputs;
  std::uint64_t bytes = 0;
};

OutputError judge_outputs(std::span<const std::byte> original, const TensorInfo& info,
                          const Weight& weight, const InputStatistics& inputs);

// Whether a weight that was encoded by statistics keeps outputs better than one that was encoded
// without. Each bit per weight that it takes more must lower the squared error to a quarter, as a
// bit does in any codec. Fewer than 16 held-out inputs must say so by a margin: a quarter less.
bool statistics_pay(const JudgedOutputs& with, const JudgedOutputs& without, std::size_t n_weights,
                    std::size_t n_held_out);

// Whether zeros are about as close to the original: a relative error of 0.9999 or more.
bool is_lost(const Distortion& distortion);

// Says why a weight must not replace its tensor: "low_rank: relative error 1.3" if the tensor would
// be lost; empty if it may. Placeholders (codecs/encode.h) always may.
std::string fault_of(const Distortion& distortion, const CodecOptions& options);
// The same by the outputs, if the weight was made to keep these.
std::string fault_of(const OutputError& outputs, const CodecOptions& options);

}  // namespace pqw
