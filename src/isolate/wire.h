// Numbers and texts as bytes between processes. What arrives is not trusted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/subject.h"
#include "pqw/core/record.h"
#include "pqw/core/tensor.h"

namespace pqw {

// Layout: a number is 8 bytes in the order of this machine; a text is its length and its bytes; a
// tensor is its name, the number of its basic type, its rank and its dimensions; a record is its
// tensor, codec, features, options, sections (each a tensor and its bytes) and parts (each a
// record).
class WireWriter {
 public:
  void number(std::uint64_t value);
  void text(std::string_view value);
  void tensor(const TensorInfo& info);
  void record(const Record& record);
  void texts(const std::map<std::string, std::string>& texts);

  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  void bytes(std::span<const std::byte> value);

  std::vector<std::byte> bytes_;
};

// Reads what WireWriter wrote. Every length is checked before it is used, and so are types and
// shapes: the bytes of a tensor fit 63 bits. Errors: those of the subject, for anything else.
class WireReader {
 public:
  WireReader(std::span<const std::byte> bytes, Subject subject)
      : rest_(bytes), subject_(std::move(subject)) {}

  std::uint64_t number();
  std::string text();
  TensorInfo tensor();

  // Sections have the bytes of their shapes, and parts nest no deeper; names are not looked at.
  Record record(std::size_t most_levels);

  // A number of things that follow, each of at least `least_bytes` bytes.
  std::size_t count(std::size_t least_bytes);

  std::map<std::string, std::string> texts();

  // Throws unless what was read makes sense.
  void require(bool ok) const;

  // Throws if anything is left.
  void finish() const;

 private:
  std::span<const std::byte> bytes(std::size_t n_bytes);

  std::span<const std::byte> rest_;
  Subject subject_;
};

}  // namespace pqw
