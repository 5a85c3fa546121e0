// Changes members of a JSON object in its text: every other byte stays.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace pqw {

// The text of the value of a member, the last one of that key; empty if there is none.
// REQUIRES, here and below: valid JSON of an object, and of a value.
std::string_view member_text(std::string_view object, std::string_view key);

// The object with that member. It replaces a member of the same key; a new one comes after the last
// member, on its own line, indented by two spaces.
std::string with_member(std::string_view object, std::string_view key, std::string_view value);

// The text of a value for with_member, on several lines.
std::string indented_json(const nlohmann::ordered_json& value);

// The object without that member: with_member of a new key, undone.
std::string without_member(std::string_view object, std::string_view key);

}  // namespace pqw
