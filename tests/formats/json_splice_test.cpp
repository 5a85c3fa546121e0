// Members of JSON objects, changed in their text.
#include "formats/json_splice.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace pqw {
namespace {

using nlohmann::json;

TEST(JsonSplice, AddsAMemberAfterTheLastOneAndTakesItAway) {
  for (const auto& [before, after] : std::vector<std::pair<std::string, std::string>>{
           {R"({"a": 1})", "{\"a\": 1,\n  \"k\": [2]}"},
           {"{\n  \"a\": {\"k\": 3}\n}\n", "{\n  \"a\": {\"k\": 3},\n  \"k\": [2]\n}\n"},
           {"{}", "{\n  \"k\": [2]}"},
           {"\xef\xbb\xbf { \t}", "\xef\xbb\xbf {\n  \"k\": [2] \t}"},
           {R"({"a":"}\\\"{[","b":"\\"})", "{\"a\":\"}\\\\\\\"{[\",\"b\":\"\\\\\",\n  \"k\": [2]}"},
           {R"({"a":-1.50e+300,"b":123456789012345678901234567890,"c":null})",
            "{\"a\":-1.50e+300,\"b\":123456789012345678901234567890,\"c\":null,\n  \"k\": [2]}"}}) {
    EXPECT_EQ(with_member(before, "k", "[2]"), after);
    EXPECT_EQ(without_member(after, "k"), before);
    EXPECT_EQ(without_member(before, "k"), before);
    EXPECT_EQ(member_text(after, "k"), "[2]");
    EXPECT_EQ(member_text(before, "k"), "");
  }
}

TEST(JsonSplice, ReplacesAMemberWhereItIs) {
  for (const auto& [before, after, without] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {R"({"k":{"x":[1,"]"]},"a":1})", R"({"k":true,"a":1})", R"({"a":1})"},
           {R"({"a" : 1 , "k" : 12 , "b" : 2 })", R"({"a" : 1 , "k" : true , "b" : 2 })",
            R"({"a" : 1 , "b" : 2 })"},
           {R"({"\u006b":"x"})", R"({"\u006b":true})", "{}"},
           {R"({"k":1,"k":2,"a":3})", R"({"k":1,"k":true,"a":3})", R"({"k":1,"a":3})"}}) {
    EXPECT_EQ(with_member(before, "k", "true"), after);
    EXPECT_EQ(member_text(after, "k"), "true");
    EXPECT_EQ(without_member(before, "k"), without);
  }
}

TEST(JsonSplice, KeysAreEscaped) {
  EXPECT_EQ(json::parse(with_member("{}", "a\"\\b", "1")), json({{"a\"\\b", 1}}));
}

}  // namespace
}  // namespace pqw
