// An ONNX file as nested protobuf messages: where they are in the file, and their content without
// the data of tensors.
#include "formats/onnx_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/subject.h"

namespace pqw {
namespace {

using google::protobuf::io::CodedInputStream;

// Numbers of fields and wire types: onnx.proto and the encoding of protobuf.
enum Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
constexpr int kGraphField = 7, kOpsetField = 8;
constexpr int kFloatData = 4, kInt32Data = 5, kStringData = 6, kInt64Data = 7, kRawData = 9,
              kDoubleData = 10, kUint64Data = 11;

constexpr std::size_t kMostTextBytes = std::size_t{1} << 20;
constexpr std::size_t kMostFields = std::size_t{1} << 22;
constexpr std::size_t kMostSkeletonBytes = std::size_t{256} << 20;
constexpr int kMostDepth = 64;  // a graph in a graph is three messages deeper

struct Child {
  OnnxMessage parent;
  int field;
  OnnxMessage child;
  bool repeated;
};

constexpr Child kChildren[] = {
    {OnnxMessage::kModel, kGraphField, OnnxMessage::kGraph, false},
    {OnnxMessage::kModel, 20, OnnxMessage::kTraining, true},
    {OnnxMessage::kModel, 25, OnnxMessage::kFunction, true},
    {OnnxMessage::kTraining, 1, OnnxMessage::kGraph, false},
    {OnnxMessage::kTraining, 2, OnnxMessage::kGraph, false},
    {OnnxMessage::kFunction, 7, OnnxMessage::kNode, true},
    {OnnxMessage::kFunction, 11, OnnxMessage::kAttribute, true},
    {OnnxMessage::kGraph, 1, OnnxMessage::kNode, true},
    {OnnxMessage::kGraph, 5, OnnxMessage::kTensor, true},
    {OnnxMessage::kGraph, 15, OnnxMessage::kSparseTensor, true},
    {OnnxMessage::kGraph, 11, OnnxMessage::kInput, true},
    {OnnxMessage::kNode, 5, OnnxMessage::kAttribute, true},
    {OnnxMessage::kAttribute, 5, OnnxMessage::kTensor, false},
    {OnnxMessage::kAttribute, 6, OnnxMessage::kGraph, false},
    {OnnxMessage::kAttribute, 22, OnnxMessage::kSparseTensor, false},
    {OnnxMessage::kAttribute, 10, OnnxMessage::kTensor, true},
    {OnnxMessage::kAttribute, 11, OnnxMessage::kGraph, true},
    {OnnxMessage::kAttribute, 23, OnnxMessage::kSparseTensor, true},
    {OnnxMessage::kSparseTensor, 1, OnnxMessage::kTensor, false},
    {OnnxMessage::kSparseTensor, 2, OnnxMessage::kTensor, false},
};

// The number of doc_string; 0 without.
int doc_field(OnnxMessage message) {
  switch (message) {
    case OnnxMessage::kModel:
      return 6;
    case OnnxMessage::kFunction:
      return 8;
    case OnnxMessage::kGraph:
      return 10;
    case OnnxMessage::kNode:
      return 6;
    case OnnxMessage::kAttribute:
      return 13;
    case OnnxMessage::kTensor:
      return 12;
    case OnnxMessage::kInput:
      return 3;
    case OnnxMessage::kTraining:
    case OnnxMessage::kSparseTensor:
      return 0;
  }
  return 0;
}

// The wire type of single elements; packed ones are bytes.
int element_wire(int field) {
  return field == kFloatData ? kFixed32 : field == kDoubleData ? kFixed64 : kVarint;
}

bool is_typed_data(int field) {
  return field == kFloatData || field == kInt32Data || field == kInt64Data ||
         field == kDoubleData || field == kUint64Data;
}

void append_varint(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

void append_field(std::string& to, int field, const std::string& bytes) {
  append_varint(to, static_cast<std::uint64_t>(field) << 3 | kBytes);
  append_varint(to, bytes.size());
  to += bytes;
}

// The bytes of a file, in pieces, as protobuf wants them.
class FilePieces : public google::protobuf::io::CopyingInputStream {
 public:
  explicit FilePieces(const InputFile& file) : file_(file) {}

  int Read(void* buffer, int size) override {
    const auto n = static_cast<std::size_t>(
        std::min<std::uint64_t>(static_cast<std::uint64_t>(size), file_.size() - at_));
    file_.read_at(at_, {static_cast<std::byte*>(buffer), n});
    at_ += n;
    return static_cast<int>(n);
  }

  int Skip(int count) override {
    const auto n = std::min<std::uint64_t>(static_cast<std::uint64_t>(count), file_.size() - at_);
    at_ += n;
    return static_cast<int>(n);
  }

 private:
  const InputFile& file_;
  std::uint64_t at_ = 0;
};

class Walk {
 public:
  explicit Walk(const InputFile& file)
      : subject_{file.path()}, pieces_(file), stream_(&pieces_, 1 << 16), input_(&stream_) {
    wire_.spans.push_back({0, 0, file.size(), 0});
  }

  OnnxWire run() {
    wire_.skeleton = message(OnnxMessage::kModel, 0, 0);
    return std::move(wire_);
  }

 private:
  std::uint64_t at() const { return static_cast<std::uint64_t>(input_.CurrentPosition()); }

  [[noreturn]] void fail_at(std::uint64_t where, const char* what) const {
    throw subject_.error("not a sound ONNX model: {} at byte {}", what, where);
  }

  std::uint64_t varint(std::uint64_t end) {
    const std::uint64_t begin = at();
    std::uint64_t value = 0;
    if (!input_.ReadVarint64(&value) || at() > end)
      fail_at(begin, "a number is cut off or too long");
    return value;
  }

  void skip(std::uint64_t n_bytes, std::uint64_t end) {
    if (n_bytes > end - at()) fail_at(at(), "a field is longer than its message");
    if (!input_.Skip(static_cast<int>(n_bytes))) fail_at(at(), "the file ends early");
  }

  std::string bytes(std::uint64_t n_bytes, std::uint64_t end) {
    if (n_bytes > end - at()) fail_at(at(), "a field is longer than its message");
    std::string text;
    if (!input_.ReadString(&text, static_cast<int>(n_bytes))) fail_at(at(), "the file ends early");
    return text;
  }

  void count_field(std::uint64_t begin) {
    if (++n_fields_ > kMostFields) fail_at(begin, "more than 4194304 fields");
  }

  // The skeleton of the message with that span. The stream is at its content, and then at its end.
  std::string message(OnnxMessage kind, std::size_t span, int depth) {
    const std::uint64_t end = wire_.spans[span].end;
    if (depth > kMostDepth) fail_at(at(), "messages are nested more than 64 deep");
    if (kind == OnnxMessage::kTensor) {
      wire_.spans[span].tensor = wire_.tensors.size();
      wire_.tensors.push_back({.span = span});
    }
    std::string skeleton;
    std::uint64_t seen = 0;  // fields that may not repeat
    while (at() < end) field(kind, span, depth, seen, skeleton);
    if (doc_field(kind) != 0) append_field(skeleton, doc_field(kind), std::to_string(span));
    if (skeleton.size() > kMostSkeletonBytes) {
      throw subject_.error(ErrorCode::kUnsupported,
                           "more than 256 MiB beside the values of tensors");
    }
    return skeleton;
  }

  void field(OnnxMessage kind, std::size_t span, int depth, std::uint64_t& seen,
             std::string& skeleton) {
    const std::uint64_t begin = at(), end = wire_.spans[span].end;
    const std::uint64_t tag = varint(end);
    const int number = static_cast<int>(tag >> 3), wire = static_cast<int>(tag & 7);
    if (tag >> 3 == 0 || tag >> 32 != 0) fail_at(begin, "an invalid tag");
    count_field(begin);
    if (kind == OnnxMessage::kTensor && is_data(number, wire, begin, end)) return;
    switch (wire) {
      case kVarint: {
        const std::uint64_t value = varint(end);
        append_varint(skeleton, tag);
        append_varint(skeleton, value);
        return;
      }
      case kFixed32:
      case kFixed64: {
        const std::string value = bytes(wire == kFixed32 ? 4 : 8, end);
        append_varint(skeleton, tag);
        skeleton += value;
        return;
      }
      case kBytes:
        break;
      default:
        fail_at(begin, "an unknown wire type");
    }
    const std::uint64_t length = varint(end);
    if (length > end - at()) fail_at(begin, "a field is longer than its message");
    if (const Child* const child = child_of(kind, number)) {
      const std::uint64_t bit = std::uint64_t{1} << number;
      if (!child->repeated && (std::exchange(seen, seen | bit) & bit) != 0) {
        fail_at(begin, "a field that may occur once occurs twice");
      }
      wire_.spans.push_back({begin, at(), at() + length, span});
      append_field(skeleton, number, message(child->child, wire_.spans.size() - 1, depth + 1));
    } else if (number == doc_field(kind) || length > kMostTextBytes) {
      skip(length, end);
    } else {
      append_field(skeleton, number, bytes(length, end));
    }
  }

  static const Child* child_of(OnnxMessage kind, int number) {
    const auto* const found = std::ranges::find_if(
        kChildren, [&](const Child& c) { return c.parent == kind && c.field == number; });
    return found == std::end(kChildren) ? nullptr : found;
  }

  // Notes and skips values of the tensor that came last. False for other fields.
  bool is_data(int number, int wire, std::uint64_t begin, std::uint64_t end) {
    OnnxStored& tensor = wire_.tensors.back();
    if (number == kRawData && wire == kBytes) {
      if (std::exchange(tensor.has_raw, true)) fail_at(begin, "raw_data occurs twice");
      tensor.raw_bytes = varint(end);
      tensor.raw_begin = at();
      skip(tensor.raw_bytes, end);
      return true;
    }
    if (number == kStringData && wire == kBytes) {
      skip(varint(end), end);
      return true;
    }
    if (!is_typed_data(number)) return false;
    if (tensor.typed_field != 0 && tensor.typed_field != number) {
      fail_at(begin, "a tensor with values in two fields");
    }
    tensor.typed_field = number;
    tensor.n_typed += n_elements(number, wire, begin, end);
    return true;
  }

  std::uint64_t n_elements(int number, int wire, std::uint64_t begin, std::uint64_t end) {
    const int element = element_wire(number);
    const std::uint64_t size = element == kFixed32 ? 4 : element == kFixed64 ? 8 : 0;
    if (wire == element) {
      --n_fields_;  // elements that are not packed take no memory
      size == 0 ? void(varint(end)) : skip(size, end);
      return 1;
    }
    if (wire != kBytes) fail_at(begin, "values of the wrong wire type");
    const std::uint64_t length = varint(end);
    if (length > end - at()) fail_at(begin, "a field is longer than its message");
    if (size != 0) {
      if (length % size != 0) fail_at(begin, "values that are cut off");
      skip(length, end);
      return length / size;
    }
    const std::uint64_t stop = at() + length;
    std::uint64_t n = 0;
    for (; at() < stop; ++n) varint(stop);
    return n;
  }

  const Subject subject_;
  FilePieces pieces_;
  google::protobuf::io::CopyingInputStreamAdaptor stream_;
  CodedInputStream input_;
  OnnxWire wire_;
  std::size_t n_fields_ = 0;
};

}  // namespace

OnnxWire read_onnx_wire(const InputFile& file) {
  if (file.size() > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    throw Subject{file.path()}.error(
        ErrorCode::kUnsupported,
        "{} bytes, protobuf allows 2 GiB; larger models keep their weights in external files",
        file.size());
  }
  return Walk(file).run();
}

bool is_onnx_wire(const InputFile& file) {
  FilePieces pieces(file);
  google::protobuf::io::CopyingInputStreamAdaptor stream(&pieces, 4096);
  CodedInputStream input(&stream);
  constexpr std::uint32_t kMostNameBytes = 1 << 16;
  constexpr int kMostFields = 64;
  for (int i = 0; i < kMostFields; ++i) {
    const std::uint32_t tag = input.ReadTag();
    const std::uint32_t number = tag >> 3, wire = tag & 7;
    std::uint32_t value = 0;
    if (i == 0 && tag != (1 << 3 | kVarint)) return false;
    if (tag == 0 || !input.ReadVarint32(&value)) return false;
    const bool is_number = number == 1 || number == 5;
    if (is_number != (wire == kVarint)) return false;
    if (number == 1 && (value == 0 || value > 127)) return false;
    if (is_number) continue;
    if (wire != kBytes) return false;
    if (number == kGraphField || number == kOpsetField) return true;
    const bool is_text = number <= 6 || number == 14;
    if (!is_text || value > kMostNameBytes || !input.Skip(static_cast<int>(value))) return false;
  }
  return false;
}

}  // namespace pqw
