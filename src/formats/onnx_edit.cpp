// A copy of an ONNX model with other values, tensors and nodes.
#include "formats/onnx_edit.h"

#include <algorithm>
#include <utility>

#include "core/subject.h"
#include "io/different_files.h"

namespace pqw {
namespace {

// Returns `path`. Errors: kInvalidArgument if `path` or `data` is a file with external data of the
// model.
const std::string& other_than_external(const OnnxModel& model, const std::string& path,
                                       const std::string& data) {
  for (const auto& [external, n_bytes] : model.external_files()) {
    require_different_files({&external, 1}, path);
    require_different_files({&external, 1}, data);
  }
  return path;
}

}  // namespace

OnnxEdit::OnnxEdit(InputFile original, const std::string& path, const WriteOptions& options)
    : model_(std::move(original)),
      data_(path, options),
      file_(other_than_external(model_, path, data_.path()), options),
      splice_(model_.file, model_.wire.spans) {}

onnx::TensorProto OnnxEdit::whole(const OnnxTensor& tensor) const {
  const OnnxSpan& span = model_.wire.spans[tensor.stored.span];
  const auto bytes =
      model_.file.read(span.content, static_cast<std::size_t>(span.end - span.content));
  onnx::TensorProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw Subject{model_.file.path()}.in("tensor", tensor.info.name).error("is malformed");
  }
  return proto;
}

void OnnxEdit::change(const OnnxTensor& tensor) {
  const OnnxStored& stored = tensor.stored;
  if (tensor.external) return;  // start moves it
  const std::size_t n_bytes = byte_count(tensor.info);
  if (stored.has_raw && stored.n_typed == 0) {
    edits_[&tensor] = splice_.replace(stored.span, stored.raw_begin,
                                      stored.raw_begin + stored.raw_bytes, "", n_bytes);
  } else if (is_compressible(tensor.info.dtype)) {
    onnx::TensorProto proto = whole(tensor);
    proto.clear_float_data();
    proto.clear_double_data();
    proto.clear_int32_data();
    std::string content = proto.SerializeAsString();
    content += protobuf_head(onnx::TensorProto::kRawDataFieldNumber, n_bytes);
    edits_[&tensor] = splice_.replace_content(stored.span, std::move(content), n_bytes);
  }
}

void OnnxEdit::remove(const OnnxTensor& tensor) {
  removed_.insert(&tensor);
  if (tensor.constant != nullptr) return splice_.remove(OnnxModel::span_of(*tensor.constant));
  splice_.remove(tensor.stored.span);
  for (const auto& input : tensor.graph->input()) {
    if (input.name() == tensor.value) splice_.remove(OnnxModel::span_of(input));
  }
}

void OnnxEdit::move_external(std::size_t index) {
  const OnnxTensor& tensor = model_.tensors[index];
  onnx::TensorProto proto = whole(tensor);
  const auto place = shared_places_.find(model_.stored_as[index]);
  if (place == shared_places_.end()) {
    const std::uint64_t offset = data_.place(tensor.external->n_bytes, proto);
    data_.file().write_at(offset, model_.read(tensor));
    shared_places_[model_.stored_as[index]] = places_[&tensor] = offset;
  } else {
    places_[&tensor] = place->second;
    data_.place_at(place->second, tensor.external->n_bytes, proto);
  }
  splice_.replace_content(tensor.stored.span, proto.SerializeAsString());
}

void OnnxEdit::start() {
  for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
    const OnnxTensor& tensor = model_.tensors[i];
    if (tensor.external && !removed_.contains(&tensor)) move_external(i);
  }
  const std::vector<std::uint64_t> later = splice_.write(file_);
  for (const auto& [tensor, edit] : edits_) places_[tensor] = later[edit];
}

void OnnxEdit::set_values(const OnnxTensor& tensor, std::span<const std::byte> bytes) {
  const auto place = places_.find(&tensor);
  if (place != places_.end()) {
    (tensor.external ? data_.file() : file_).write_at(place->second, bytes);
  } else if (!std::ranges::equal(bytes, model_.read(tensor))) {
    throw Subject{file_.path()}
        .in("tensor", tensor.info.name)
        .error(ErrorCode::kUnsupported,
               "its integers are not those of the template, which does not store them as raw_data");
  }
}

std::uint64_t OnnxEdit::original_bytes() const {
  std::uint64_t n_bytes = model_.file.size();
  for (std::size_t i = 0; i < model_.tensors.size(); ++i) {
    const bool has_own = model_.tensors[i].external && model_.stored_as[i] == i;
    if (has_own) n_bytes += model_.tensors[i].external->n_bytes;
  }
  return n_bytes;
}

void OnnxEdit::commit() {
  data_.commit();
  file_.commit();
}

}  // namespace pqw
