// Changes members of a JSON object in its text.
#include "formats/json_splice.h"

#include <algorithm>
#include <optional>

namespace pqw {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

// Where a member is in the text of its object.
struct Place {
  std::size_t before = 0;  // the end of the value before it, or of the opening brace
  std::size_t key = 0, value = 0, end = 0;
};

struct Members {
  std::optional<Place> found;  // the last one of the key
  std::size_t end = 0;         // of the last member, or of the opening brace
  bool is_empty = true;
  bool follows = false;  // another member follows the one that is found
};

std::size_t end_of_string(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at) at += text[at] == '\\';
  return at + 1;
}

// Of the value that begins at `at`.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  std::size_t level = 0;
  do {
    if (text[at] == '"') {
      at = end_of_string(text, at);
    } else if (text[at] == '{' || text[at] == '[') {
      ++level, ++at;
    } else if (text[at] == '}' || text[at] == ']') {
      --level, ++at;
    } else if (level > 0) {
      ++at;
    } else {
      at = std::min(text.find_first_of(" \t\r\n,]}", at), text.size());
    }
  } while (level > 0);
  return at;
}

Members find(std::string_view text, std::string_view key) {
  Members members;
  std::size_t at = text.find('{') + 1;
  for (members.end = at;; at = text.find_first_not_of(kSpace, members.end) + 1) {
    Place place{.before = members.end, .key = text.find_first_not_of(kSpace, at)};
    if (text[place.key] != '"') return members;
    const std::size_t end_of_key = end_of_string(text, place.key);
    place.value = text.find_first_not_of(kSpace, text.find(':', end_of_key) + 1);
    place.end = members.end = end_of_value(text, place.value);
    members.is_empty = false;
    members.follows = members.found.has_value();
    if (nlohmann::json::parse(text.substr(place.key, end_of_key - place.key)) == key) {
      members.found = place;
      members.follows = false;
    }
    if (text[text.find_first_not_of(kSpace, members.end)] != ',') return members;
  }
}

std::string replaced(std::string_view text, std::size_t begin, std::size_t end,
                     std::string_view by) {
  return std::string(text).replace(begin, end - begin, by);
}

}  // namespace

std::string_view member_text(std::string_view object, std::string_view key) {
  const auto found = find(object, key).found;
  return found ? object.substr(found->value, found->end - found->value) : std::string_view();
}

std::string with_member(std::string_view object, std::string_view key, std::string_view value) {
  const Members members = find(object, key);
  if (members.found) return replaced(object, members.found->value, members.found->end, value);
  std::string text = members.is_empty ? "\n  " : ",\n  ";
  text.append(nlohmann::json(key).dump()).append(": ").append(value);
  return replaced(object, members.end, members.end, text);
}

std::string indented_json(const nlohmann::ordered_json& value) {
  std::string text;
  for (const char c : value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)) {
    text += c;
    if (c == '\n') text += "  ";
  }
  return text;
}

std::string without_member(std::string_view object, std::string_view key) {
  const Members members = find(object, key);
  if (!members.found) return std::string(object);
  const Place& place = *members.found;
  const bool is_first = object[place.before - 1] == '{';
  if (!is_first || !members.follows) return replaced(object, place.before, place.end, "");
  return replaced(object, place.before, object.find(',', place.end) + 1, "");
}

}  // namespace pqw
