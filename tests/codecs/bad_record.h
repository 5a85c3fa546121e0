// Records that a codec has to refuse.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <ostream>
#include <stdexcept>
#include <string>

#include "pqw/codecs/weight.h"
#include "pqw/core/error.h"

namespace pqw::test {

inline constexpr ErrorCode kCorrupt = ErrorCode::kCorrupt;
inline constexpr std::size_t kMaxSize = std::numeric_limits<std::size_t>::max();

struct BadRecord {
  const char* name;
  ErrorCode code;
  const char* message;  // a part of it
  std::function<void(Record&)> spoil;
};

inline void PrintTo(const BadRecord& bad, std::ostream* out) { *out << bad.name; }

inline std::string name_of(const testing::TestParamInfo<BadRecord>& bad) {
  std::string name = bad.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

inline Section& section(Record& record, const std::string& name) {
  for (Section& s : record.sections) {
    if (s.name == name) return s;
  }
  throw std::logic_error("no section " + name);
}

// Spoils a good record of the tensor 'fc' and reads it.
inline void expect_refused(Record record, const BadRecord& bad) {
  bad.spoil(record);
  try {
    weight_from_record(record);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), bad.code);
    EXPECT_THAT(error.what(), testing::HasSubstr("'fc'"));
    EXPECT_THAT(error.what(), testing::HasSubstr(bad.message));
  }
}

}  // namespace pqw::test
