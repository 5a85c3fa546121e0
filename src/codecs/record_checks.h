// Makes and checks the parts of a record that all codecs have.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/subject.h"
#include "pqw/codecs/weight_head.h"
#include "pqw/core/record.h"

namespace pqw {

// The subject of errors about a record, which are kCorrupt.
inline Subject subject_of(const Record& record) {
  return tensor_subject(record.info.name, ErrorCode::kCorrupt);
}

// Throws kUnsupported if a record has other features. No other code checks this: archives may hold
// any features.
void require_features(const Record& record, std::span<const std::string_view> known = {});

bool has_feature(const Record& record, std::string_view feature);

// The feature of records whose tensor has another order of dimensions than their weight.
inline constexpr char kTransposed[] = "transposed";

// A record without sections, and its inverse, which checks that the shape is a matrix, its type a
// float type, and the features known (`transposed` always is). Errors: kCorrupt, and kUnsupported
// for features.
Record record_of(const char* codec, const WeightHead& head, const std::string& name);
WeightHead read_head(const Record& record, std::vector<std::string_view> known_features = {});

// The record of a canonical weight as the record of the tensor of that file, which has that kind
// and those axes.
Record transposed(Record record, const TensorInfo& info);

// Values as the bytes of a section.
template <class Values>
std::vector<std::byte> bytes_of(const Values& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

// The bytes of a section as a text.
inline std::string text_of(const Section& section) {
  return {reinterpret_cast<const char*>(section.bytes.data()), section.bytes.size()};
}

// The section of that name, as many bytes long as its shape says. Errors: kCorrupt.
const Section& required_section(const Record& record, const std::string& name);

}  // namespace pqw
