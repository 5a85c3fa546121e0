// Exports an archive as a small ONNX model, which decodes its weights itself.
#include "pqw/pipeline/export_onnx.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>
#include <variant>

#include "codecs/cast.h"
#include "core/subject.h"
#include "formats/formats.h"
#include "formats/onnx_edit.h"
#include "formats/onnx_uses.h"
#include "io/different_files.h"
#include "model/archive_tensors.h"
#include "pipeline/onnx_decoder.h"
#include "pipeline/onnx_nodes.h"
#include "pqw/pipeline/decode.h"

namespace pqw {
namespace {

constexpr std::int64_t kLeastOpset = 9;
constexpr std::int64_t kInitializersAreNoInputsSince = 4;  // version of the IR
constexpr std::size_t kLeastExternalBytes = 1024;          // of a tensor

std::int64_t opset_of(const OnnxModel& model) {
  std::int64_t opset = 1;
  for (const auto& item : model.proto->opset_import()) {
    if (item.domain().empty() || item.domain() == "ai.onnx") opset = item.version();
  }
  if (opset >= kLeastOpset) return opset;
  throw Subject{model.file.path()}.error(
      ErrorCode::kUnsupported,
      "opset {}, expected {} or later; convert the model with onnx.version_converter first", opset,
      kLeastOpset);
}

std::string free_prefix(const OnnxUses& uses) {
  std::string word = "pqw";
  while (uses.has_prefix(word + '/')) word += '_';
  return word + '/';
}

class Export {
 public:
  Export(const DecodedArchive& archive, InputFile original, const std::string& output,
         bool overwrite, std::uint64_t most_inline_bytes)
      : decoded_(archive),
        archive_(archive.archive()),
        output_(output),
        edit_(std::move(original), output, {.overwrite = overwrite}),
        model_(edit_.model()),
        uses_(model_),
        main_(&model_.proto->graph()),
        nodes_(free_prefix(uses_), opset_of(model_)),
        puts_data_outside_(has_external() ||
                           model_.file.size() + archive_.file_bytes() > most_inline_bytes) {
    for (const OnnxTensor& tensor : model_.tensors) by_name_.emplace(tensor.info.name, &tensor);
  }

  ExportReport run(const Format& format) {
    ExportReport report;
    std::vector<TensorInfo> originals;
    for (const OnnxTensor& tensor : model_.tensors) originals.push_back(tensor.info);
    report.kept =
        check_template(model_.file.path(), format, originals, output_, decoded_.tensors());
    std::vector<std::size_t> in_full;
    for (std::size_t i = 0; i < archive_.entries().size(); ++i) {
      const OnnxTensor& tensor = *by_name_.at(decoded_.tensors()[i].name);
      const ExportForm form = add(i, tensor);
      if (form == ExportForm::kValues) {
        edit_.change(tensor);
        in_full.push_back(i);
      }
      report.tensors.push_back({tensor.info.name, archive_.entries()[i].codec, form});
    }
    raise_version();
    edit_.start();
    for (const std::size_t i : in_full) {
      edit_.set_values(*by_name_.at(decoded_.tensors()[i].name), decoded_.read(i));
    }
    edit_.commit();
    report.template_bytes = edit_.original_bytes();
    report.output_bytes = edit_.output_bytes();
    return report;
  }

 private:
  bool has_external() const {
    return std::ranges::any_of(model_.tensors,
                               [](const auto& t) { return t.external.has_value(); });
  }

  ExportForm add(std::size_t index, const OnnxTensor& tensor) {
    const std::size_t stored = stored_index(archive_, index);
    const bool is_value = tensor.graph != nullptr && !tensor.value.empty();
    if (has_values(archive_, stored)) {
      if (is_value && add_narrowed(stored, tensor)) return ExportForm::kNodes;
      const bool is_same = std::ranges::equal(decoded_.read(index), model_.read(tensor));
      return is_same ? ExportForm::kKept : ExportForm::kValues;
    }
    if (!is_value) return ExportForm::kValues;
    const auto shared = in_main_.find(stored);
    const std::vector<OnnxUse> lookups = lookups_of(tensor);
    if (shared != in_main_.end() && lookups.empty()) {
      nodes_.add("Identity", {shared->second});
      nodes_.name_last(tensor.value);
      return take(tensor);
    }
    const Weight weight = read_compressed(archive_, stored);
    if (!has_decoder(weight, tensor_info(stored), nodes_.opset())) return ExportForm::kValues;
    if (!lookups.empty()) return add_rows(stored, tensor, weight, lookups);
    const std::vector<OnnxUse> products = products_of(tensor);
    if (const auto* const low = std::get_if<LowRankWeight>(&weight); low && !products.empty()) {
      return add_factors_of(*low, tensor_info(stored), tensor, products);
    }
    return add_nodes(stored, tensor, weight);
  }

  TensorInfo tensor_info(std::size_t stored) const { return original_info(archive_, stored); }

  // The nodes that use the tensor, if `fits` holds for all of them, and the graph does not return
  // it.
  template <class Fits>
  std::vector<OnnxUse> uses_if(const OnnxTensor& tensor, const Fits& fits) const {
    const OnnxValue* const value = uses_.find(tensor.graph, tensor.value);
    const bool all_fit = value != nullptr && !value->is_output && tensor.info.shape.size() == 2 &&
                         std::ranges::all_of(value->uses, [&](const OnnxUse& use) {
                           return use.node->domain().empty() && use.node->input_size() == 2 &&
                                  use.node->output_size() == 1 && fits(use);
                         });
    return all_fit ? value->uses : std::vector<OnnxUse>();
  }

  // The Gather nodes that look up rows of the tensor, if nothing else uses it.
  std::vector<OnnxUse> lookups_of(const OnnxTensor& tensor) const {
    return uses_if(tensor, [](const OnnxUse& use) {
      return use.node->op_type() == "Gather" && use.input == 0 &&
             int_attribute(*use.node, "axis", 0) == 0;
    });
  }

  // The same for MatMul nodes, of which the tensor is the second operand.
  std::vector<OnnxUse> products_of(const OnnxTensor& tensor) const {
    return uses_if(tensor, [](const OnnxUse& use) {
      return use.node->op_type() == "MatMul" && use.input == 1;
    });
  }

  // Whether the nodes that are pending take less space than the tensor; if not, undoes them.
  bool is_worth_it(const OnnxTensor& tensor, const OnnxNodes::Mark& mark) {
    if (nodes_.pending_bytes() < byte_count(tensor.info)) return true;
    nodes_.undo(mark);
    return false;
  }

  // Puts the pending nodes into the graph of the tensor, which they replace.
  ExportForm take(const OnnxTensor& tensor) {
    insert(*tensor.graph, nodes_.take_nodes());
    take_initializers();
    edit_.remove(tensor);
    return ExportForm::kNodes;
  }

  // Initializers are in the main graph, where all graphs see them.
  void take_initializers() {
    for (onnx::TensorProto& tensor : nodes_.take_tensors()) {
      if (puts_data_outside_ && tensor.raw_data().size() >= kLeastExternalBytes) {
        const std::string bytes = std::move(*tensor.mutable_raw_data());
        tensor.clear_raw_data();
        const std::uint64_t offset = edit_.data().place(bytes.size(), tensor);
        edit_.data().file().write_at(offset, std::as_bytes(std::span(bytes)));
      }
      insert(*main_, protobuf_field(onnx::GraphProto::kInitializerFieldNumber, tensor));
    }
  }

  bool add_narrowed(std::size_t stored, const OnnxTensor& tensor) {
    if (!is_narrowed(archive_, stored)) return false;
    const Record record = archive_.read(stored);
    const DType dtype = cast_dtype(record);
    constexpr std::int64_t kBfloatSince = 13;
    if (dtype == DType::kBF16 && nodes_.opset() < kBfloatSince) return false;
    const auto mark = nodes_.mark();
    add_widening(nodes_, tensor.info, dtype, record.sections.front().bytes, tensor.value);
    if (!is_worth_it(tensor, mark)) return false;
    take(tensor);
    return true;
  }

  ExportForm add_nodes(std::size_t stored, const OnnxTensor& tensor, const Weight& weight) {
    const auto mark = nodes_.mark();
    add_decoder(nodes_, weight, tensor_info(stored), tensor.value);
    if (!is_worth_it(tensor, mark)) return ExportForm::kValues;
    if (tensor.graph == main_) in_main_.emplace(stored, tensor.value);
    return take(tensor);
  }

  ExportForm add_rows(std::size_t stored, const OnnxTensor& tensor, const Weight& weight,
                      const std::vector<OnnxUse>& lookups) {
    const TensorInfo info = tensor_info(stored);
    if (!info.layout.axes.empty()) return add_nodes(stored, tensor, weight);
    const auto mark = nodes_.mark();
    std::vector<std::string> replacements;
    std::size_t n_bytes = 0;
    for (const OnnxUse& use : lookups) {
      add_row_decoder(nodes_, weight, info, use.node->input(1), use.node->output(0));
      replacements.push_back(nodes_.take_nodes());
      n_bytes += replacements.back().size();
    }
    if (n_bytes + nodes_.pending_bytes() >= byte_count(tensor.info)) {
      nodes_.undo({0, mark.n_tensors});
      return ExportForm::kValues;
    }
    take_initializers();
    for (std::size_t i = 0; i < lookups.size(); ++i) {
      replace(*lookups[i].node, std::move(replacements[i]));
    }
    edit_.remove(tensor);
    return ExportForm::kRows;
  }

  // x W = (x first) second
  ExportForm add_factors_of(const LowRankWeight& weight, const TensorInfo& info,
                            const OnnxTensor& tensor, const std::vector<OnnxUse>& products) {
    const OnnxFactors factors = add_factors(nodes_, weight, info);
    take(tensor);
    for (const OnnxUse& use : products) {
      nodes_.add("MatMul",
                 {nodes_.add("MatMul", {use.node->input(0), factors.first}), factors.second});
      nodes_.name_last(use.node->output(0));
      replace(*use.node, nodes_.take_nodes());
    }
    return ExportForm::kFactors;
  }

  void replace(const onnx::NodeProto& node, std::string fields) {
    const OnnxSpan& span = model_.wire.spans[OnnxModel::span_of(node)];
    edit_.splice().replace(span.parent, span.begin, span.end, std::move(fields));
  }

  // New nodes come before all others.
  void insert(const onnx::GraphProto& graph, std::string fields) {
    const std::size_t span = OnnxModel::span_of(graph);
    const std::uint64_t at = model_.wire.spans[span].content;
    edit_.splice().replace(span, at, at, std::move(fields));
    has_inserted_ = true;
  }

  void raise_version() {
    if (!has_inserted_ || model_.proto->ir_version() >= kInitializersAreNoInputsSince) return;
    // Of a field that occurs twice, the last one counts.
    const std::string version = {'\x08', static_cast<char>(kInitializersAreNoInputsSince)};
    edit_.splice().replace(0, model_.file.size(), model_.file.size(), version);
  }

  const DecodedArchive& decoded_;
  const ArchiveReader& archive_;
  const std::string output_;
  OnnxEdit edit_;
  const OnnxModel& model_;
  const OnnxUses uses_;
  const onnx::GraphProto* const main_;
  OnnxNodes nodes_;
  const bool puts_data_outside_;
  std::unordered_map<std::string_view, const OnnxTensor*> by_name_;
  bool has_inserted_ = false;
  std::unordered_map<std::size_t, std::string> in_main_;  // decoded values, by stored_index
};

}  // namespace

std::string_view to_string(ExportForm form) {
  switch (form) {
    case ExportForm::kNodes:
      return "nodes";
    case ExportForm::kFactors:
      return "factors";
    case ExportForm::kRows:
      return "rows";
    case ExportForm::kValues:
      return "values";
    case ExportForm::kKept:
      return "kept";
  }
  return "";
}

ExportReport export_onnx(const std::string& archive, const std::string& original,
                         const std::string& output, bool overwrite, const ReadOptions& options,
                         std::uint64_t most_inline_bytes) {
  require_different_files(std::array{archive_file(archive), original}, output);
  require_archive(archive);
  const DecodedArchive decoded(archive, options);
  InputFile file(original);
  const Format* const format = find_format(file);
  if (format == nullptr || format->copy != copy_onnx) {
    const std::string what =
        format == nullptr ? describe_foreign(file).what : std::string(format->file);
    throw Subject{original}.error(ErrorCode::kUnsupported,
                                  "the template is {}, expected an ONNX model", what);
  }
  ExportReport report =
      Export(decoded, std::move(file), output, overwrite, most_inline_bytes).run(*format);
  report.archive_bytes = decoded.archive().file_bytes();
  return report;
}

}  // namespace pqw
