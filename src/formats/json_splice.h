// Changes members of a JSON object in its text: every other byte stays.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace pqw {

// The text of the value of a member, the last one of that key; empty if there is none.
// REQUIRES, here and below: valid JSON of an object, and of a value.
std::string_view member_text(std::string_view object, std::string_view key);

// The object with that member: in the place of an earlier one, else after the last one, on a line
// of its own that is indented by two spaces.
std::string with_member(std::string_view object, std::string_view key, std::string_view value);

// The text of a value for with_member, on several lines.
std::string indented_json(const nlohmann::ordered_json& value);

// The inverse of adding a member.
std::string without_member(std::string_view object, std::string_view key);

}  // namespace pqw
