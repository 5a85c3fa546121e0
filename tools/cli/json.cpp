// JSON documents: their envelope, and how they are printed. docs/json.md describes them.
#include "cli/json.h"

#include "cli/console.h"

namespace pqw::tool {
namespace {

constexpr int kSchema = 1;  // rises when a key goes or changes its meaning

void set(Json& object, std::string_view key, Json value) {
  if (!object.is_object()) object = Json::object();
  const std::size_t dot = key.find('.');
  if (dot == key.npos) {
    object[std::string(key)] = std::move(value);
  } else {
    set(object[std::string(key.substr(0, dot))], key.substr(dot + 1), std::move(value));
  }
}

}  // namespace

Json document(const char* verb, const std::string& input, Json options) {
  return {{"schema", kSchema},
          {"pqw_version", PQW_VERSION},
          {"verb", verb},
          {"input", input},
          {"options", std::move(options)}};
}

Json to_json(const Settings& settings) {
  Json json = Json::object();
  for (const auto& [key, value] : settings) {
    const Json number = Json::parse(value, nullptr, false);
    set(json, key, number.is_number() ? number : Json(value));
  }
  return json;
}

void print_json(const Json& json) {
  print_result(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace pqw::tool
