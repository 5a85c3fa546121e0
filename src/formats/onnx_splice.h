// A copy of an ONNX file in which some bytes are replaced.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/onnx_wire.h"
#include "io/spool.h"
#include "pqw/io/atomic_file.h"

namespace pqw {

// Collects the replacements, then writes everything else as it is; the lengths of the messages that
// contain a replacement follow. Long replacements wait in a temporary file, not in memory.
class OnnxSplice {
 public:
  OnnxSplice(const InputFile& file, const std::vector<OnnxSpan>& spans)
      : file_(file), spans_(spans) {}

  // Replaces the bytes begin .. end-1 of the content of message `span` by `bytes` and, after them,
  // n_later bytes that are not known yet. Returns the number of the replacement. Several insertions
  // at one place keep their order. Errors: kIo.
  // REQUIRES: no replacement overlaps another.
  std::size_t replace(std::size_t span, std::uint64_t begin, std::uint64_t end, std::string bytes,
                      std::uint64_t n_later = 0);

  // Replaces the content of a message; removes a message with its tag and length.
  std::size_t replace_content(std::size_t span, std::string bytes, std::uint64_t n_later = 0);
  void remove(std::size_t span);

  // Appends the copy, with zeros for the bytes that come later; returns where the latter start, for
  // each replacement. Errors: kIo; kUnsupported if the copy would be larger than 2 GiB.
  std::vector<std::uint64_t> write(AtomicFile& to);

  // Of the copy. REQUIRES: write was called.
  std::uint64_t n_written() const { return n_written_; }

 private:
  struct Edit {
    std::uint64_t begin, end;
    std::string bytes;
    std::uint64_t n_later;
    std::size_t number;
    std::uint64_t spooled_at = 0, n_spooled = 0;  // these bytes of the temporary file come first
  };

  void edit_lengths();

  const InputFile& file_;
  const std::vector<OnnxSpan>& spans_;
  std::vector<Edit> edits_;
  std::optional<Spool> spool_;
  std::uint64_t n_spooled_ = 0;
  std::uint64_t n_written_ = 0;
  std::vector<std::int64_t> growth_;  // of the content of each span
};

// The tag and the length of a field of bytes, and a whole field.
std::string protobuf_head(int field, std::uint64_t n_bytes);
std::string protobuf_field(int field, const google::protobuf::MessageLite& message);

}  // namespace pqw
