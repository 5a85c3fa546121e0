// A copy of an ONNX file in which some bytes are replaced.
#include "formats/onnx_splice.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "core/subject.h"
#include "formats/append_range.h"

namespace pqw {
namespace {

constexpr std::size_t kSpooledBytes = 1 << 20;  // replacements of this length and more

std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}

void append_zeros(AtomicFile& to, std::uint64_t n) {
  static constexpr std::byte kZeros[1 << 16] = {};
  for (; n > 0; n -= std::min<std::uint64_t>(n, sizeof kZeros)) {
    to.write(std::span(kZeros).first(std::min<std::uint64_t>(n, sizeof kZeros)));
  }
}

}  // namespace

std::string protobuf_head(int field, std::uint64_t n_bytes) {
  constexpr unsigned kBytes = 2;  // the wire type
  return varint(static_cast<std::uint64_t>(field) << 3 | kBytes) + varint(n_bytes);
}

std::string protobuf_field(int field, const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  return protobuf_head(field, bytes.size()) + bytes;
}

std::size_t OnnxSplice::replace(std::size_t span, std::uint64_t begin, std::uint64_t end,
                                std::string bytes, std::uint64_t n_later) {
  growth_.resize(spans_.size());
  growth_[span] +=
      static_cast<std::int64_t>(bytes.size() + n_later) - static_cast<std::int64_t>(end - begin);
  Edit edit{begin, end, {}, n_later, edits_.size()};
  if (bytes.size() >= kSpooledBytes) {
    if (!spool_) spool_.emplace(file_.path());
    spool_->write(std::as_bytes(std::span(bytes)));
    edit.spooled_at = n_spooled_;
    edit.n_spooled = bytes.size();
    n_spooled_ += edit.n_spooled;
  } else {
    edit.bytes = std::move(bytes);
  }
  edits_.push_back(std::move(edit));
  return edits_.back().number;
}

std::size_t OnnxSplice::replace_content(std::size_t span, std::string bytes,
                                        std::uint64_t n_later) {
  return replace(span, spans_[span].content, spans_[span].end, std::move(bytes), n_later);
}

void OnnxSplice::remove(std::size_t span) {
  replace(spans_[span].parent, spans_[span].begin, spans_[span].end, "");
}

void OnnxSplice::edit_lengths() {
  growth_.resize(spans_.size());
  for (std::size_t i = spans_.size(); i-- > 1;) {  // the inner messages first
    if (growth_[i] == 0) continue;
    const OnnxSpan& span = spans_[i];
    const auto head = file_.read(span.begin, static_cast<std::size_t>(span.content - span.begin));
    std::string bytes;  // the tag as it is, then the new length
    for (const std::byte byte : head) {
      bytes += static_cast<char>(byte);
      if ((byte & std::byte{0x80}) == std::byte{0}) break;
    }
    bytes += varint(span.end - span.content + static_cast<std::uint64_t>(growth_[i]));
    growth_[span.parent] += growth_[i];
    replace(span.parent, span.begin, span.content, std::move(bytes));
  }
}

std::vector<std::uint64_t> OnnxSplice::write(AtomicFile& to) {
  edit_lengths();
  const std::uint64_t size = file_.size() + static_cast<std::uint64_t>(growth_[0]);
  if (size > static_cast<std::uint64_t>(std::numeric_limits<int>::max())) {
    throw Subject{to.path()}.error(ErrorCode::kUnsupported,
                                   "would have {} bytes, protobuf allows 2 GiB", size);
  }
  std::vector<std::uint64_t> later(edits_.size());
  std::ranges::sort(edits_, {}, [](const Edit& e) { return std::tuple(e.begin, e.end, e.number); });
  std::optional<InputFile> spooled;
  if (spool_) spooled.emplace(file_.path(), spool_->release());
  std::uint64_t from = 0, at = 0;
  for (const Edit& edit : edits_) {
    assert(edit.begin >= from);
    append_range(to, file_, from, edit.begin);
    if (edit.n_spooled > 0) {
      append_range(to, *spooled, edit.spooled_at, edit.spooled_at + edit.n_spooled);
    }
    to.write(std::as_bytes(std::span(edit.bytes)));
    at += edit.begin - from + edit.n_spooled + edit.bytes.size();
    later[edit.number] = at;
    append_zeros(to, edit.n_later);
    at += edit.n_later;
    from = edit.end;
  }
  append_range(to, file_, from, file_.size());
  file_.require_unchanged();
  n_written_ = size;
  return later;
}

}  // namespace pqw
