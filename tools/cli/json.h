// JSON documents: their envelope, and how they are printed. docs/json.md describes them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "pqw/codecs/settings.h"

namespace pqw::tool {

using Json = nlohmann::ordered_json;

// The first keys of every document. `input` is the file that the verb reads.
Json document(const char* verb, const std::string& input, Json options);

// "a=1,b.c=x" as {"a": 1, "b": {"c": "x"}}.
Json to_json(const Settings& settings);

// Prints a result. Names are bytes: bytes that are not UTF-8 are replaced.
void print_json(const Json& json);

}  // namespace pqw::tool
