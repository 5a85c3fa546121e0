// Exports an archive as a small ONNX model, which decodes its weights itself with operators of the
// ONNX specification (ai.onnx).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/io/options.h"

namespace pqw {

enum class ExportForm {
  kNodes,    // nodes decode the tensor; runtimes do so once, when they load the model
  kFactors,  // products with the factors of low_rank take the place of products with the tensor
  kRows,     // nodes decode the rows that are looked up: the tensor stays coded in memory
  kValues,   // the decoded values are written in full
  kKept,     // the template has these values already
};

// "nodes", "factors", "rows", "values", "kept"
std::string_view to_string(ExportForm form);

struct ExportedTensor {
  std::string name;
  std::string codec;  // in the archive
  ExportForm form = ExportForm::kKept;
};

struct ExportReport {
  std::vector<ExportedTensor> tensors;  // in the order of the archive
  std::vector<std::string> kept;        // tensors of the template that the archive does not have
  std::uint64_t archive_bytes = 0, template_bytes = 0, output_bytes = 0;  // with external data
};

// Writes a copy of the ONNX model `original`, from which the archive was made, in which compressed
// tensors are stored as in the archive and decoded by nodes of standard operators (opset 9
// or later; an IR version below 4 is raised to 4). Names of inputs, outputs and values stay.
// - pq, tcq, int8, low_rank, narrowed: nodes. The output of the last node has the name of the
//   tensor. A tensor that only Gather nodes look up is coded in memory too, and MatMul nodes whose
//   second operand is of low_rank become two.
// - tensorized, plain and carried tensors, and tensors that nodes would not make smaller: values.
// The data is in OUT.data, beside the model, if the template has external data, or if template and
// archive together are larger than most_inline_bytes. Memory holds one tensor at a time.
// Errors: those of decode_into_copy; kUnsupported (a template that is not ONNX, opset below 9).
ExportReport export_onnx(const std::string& archive, const std::string& original,
                         const std::string& output, bool overwrite, const ReadOptions& options = {},
                         std::uint64_t most_inline_bytes = std::uint64_t{1} << 30);

}  // namespace pqw
