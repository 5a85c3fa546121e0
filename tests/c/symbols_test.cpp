// libpqw.so shows what include/pqw.h declares, under the versions of src/c/libpqw.map.
#include <gmock/gmock.h>
#include <stdio.h>

#include <regex>
#include <set>
#include <string>

#include "pqw.h"
#include "tests/support/file_content.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string output_of(const std::string& command) {
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string output;
  char part[4096];
  for (std::size_t n; (n = std::fread(part, 1, sizeof(part), pipe)) > 0;) output.append(part, n);
  EXPECT_EQ(::pclose(pipe), 0) << command << ": " << output;
  return output;
}

// What the first group of the expression matches, in the whole text.
std::set<std::string> matches(const std::string& text, const char* expression) {
  std::set<std::string> found;
  const std::regex regex(expression);
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

std::set<std::string> declared() {
  return matches(test::content(PQW_HEADER), R"(PQW_API [^;(]*?\b(pqw_\w+)\()");
}

TEST(CSymbols, AreThoseOfTheHeaderAndTheMap) {
  const std::string symbols = output_of(std::string("nm -D --defined-only ") + PQW_LIBRARY);
  EXPECT_GT(declared().size(), 30u);
  // nm has lines "ADDRESS T pqw_compress@@PQW_0.1" and "0 A PQW_0.1".
  EXPECT_EQ(matches(symbols, R"( T (\w+)@@PQW_0\.1\n)"), declared());
  EXPECT_THAT(matches(symbols, R"( [^T\n] (.*)\n)"), ElementsAre("PQW_0.1"));
  EXPECT_EQ(matches(symbols, R"( (T .*)\n)").size(), declared().size());
  EXPECT_EQ(matches(test::content(PQW_MAP), R"(\n    (pqw_\w+);)"), declared());
}

TEST(CSymbols, TheLibraryHasANameAndNeedsSystemLibrariesOnly) {
  const std::string dynamic = output_of(std::string("readelf -d ") + PQW_LIBRARY);
  EXPECT_THAT(dynamic, HasSubstr("Library soname: [libpqw.so.0]"));
  for (const std::string& library : matches(dynamic, R"(Shared library: \[(.*)\])")) {
    EXPECT_EQ(library.find("pqw"), library.npos) << library;
  }
}

TEST(CSymbols, VersionsAgree) {
  const std::string version = std::to_string(PQW_VERSION_MAJOR) + '.' +
                              std::to_string(PQW_VERSION_MINOR) + '.' +
                              std::to_string(PQW_VERSION_PATCH);
  EXPECT_EQ(version, PQW_PROJECT_VERSION);
  EXPECT_EQ(version, pqw_version());
}

}  // namespace
}  // namespace pqw
