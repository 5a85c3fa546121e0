// The index of an archive of version 2: metadata and the list of tensors, as JSON.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/subject.h"
#include "pqw/core/record.h"

namespace pqw::archive {

// The sections and parts of a record in the order in which archives store them: that of their names.
std::vector<const Section*> sorted_sections(const Record& record);
std::vector<const Record*> sorted_parts(const Record& record);

// Makes the index of an archive as tensors are added. Errors: kInvalidArgument and kUnsupported for
// what the format does not allow (archive/record_checks.h), and for a name that was added before.
class IndexWriter {
 public:
  // The subject is the archive; its code does not matter.
  IndexWriter(const std::map<std::string, std::string>& metadata, const Subject& subject);

  // Bytes of sections do not matter. The arrays of the tensor follow those of the tensors before it
  // in /data: its sections, then its parts.
  void add(const Record& record);
  void add_plain(const TensorInfo& info);

  // The bytes at the end of /data: outcomes that the text leaves out.
  const std::string& outcomes() const { return outcomes_; }

  // The size of /data.
  std::uint64_t data_bytes() const { return array_bytes_ + outcomes_.size(); }

  // Depends on outcomes only by their lengths.
  std::string text() const { return text_ + "]}"; }

 private:
  void claim_name(const TensorInfo& info, const Subject& subject);
  void append(const std::string& tensor, std::uint64_t n_bytes, const Subject& subject);

  Subject subject_;
  std::string text_;
  std::unordered_set<std::string> names_;
  std::string outcomes_;
  std::uint64_t array_bytes_ = 0;
};

// Options of a record hold outcomes: the values of the keys gain_factor and gain_limit, which are
// known only after encoding. Moves them to the end of `outcomes` and leaves kOutcome for each byte.
std::string without_outcomes(std::string options, std::string& outcomes);

// The number of bytes that the options of a tensor and its parts leave out; and puts them back, from
// the front of `outcomes`. REQUIRES: it has that many.
std::size_t n_outcomes(const Record& record);
void put_outcomes(Record& record, std::string_view& outcomes);

struct Index {
  std::map<std::string, std::string> metadata;
  std::vector<Record> tensors;  // as Content has them, but options lack their outcomes
};

// The inverse. Everything is checked but the size of /data. Memory beyond the result: a few times
// the largest tensor's text. Errors: those of the subject, which is the archive.
Index parse_index(const std::string& text, const Subject& subject);

}  // namespace pqw::archive
