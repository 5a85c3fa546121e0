// JSON files that describe weights in other files, read with limits.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "core/subject.h"
#include "io/input_file.h"

namespace pqw {

constexpr std::size_t kMaxJsonBytes = std::size_t{64} << 20;

// Whether the file is JSON text of an object, of at most kMaxJsonBytes, in which `text` occurs.
bool is_json_with(const InputFile& file, std::string_view text);

// The object in the file, after strict_json. Its `keys` are those that the caller uses: no key occurs twice in it or in
// their values. Errors: kFormat (not JSON, not an object, a key twice, more than kMaxJsonBytes, 512
// levels or 2^20 objects and arrays), kIo.
nlohmann::json read_json_object(const InputFile& file, std::span<const std::string_view> keys);

// JSON as Python writes it, with null for NaN, Infinity and -Infinity, which JSON does not have.
std::string strict_json(std::string_view text);

// "syntax error while parsing value - ...": the reason in a message of nlohmann's parser, as `shown`.
std::string json_reason(const nlohmann::json::exception& error);

// "an object", "a string", "12", ...
std::string describe_json(const nlohmann::json& value);

// The value of a key of an object. Errors: kFormat (missing, or another type).
const nlohmann::json& json_array(const nlohmann::json& object, const char* key,
                                 const Subject& subject);
const std::string& json_text(const nlohmann::json& object, const char* key, const Subject& subject);

// Throws kFormat unless `name` is the name of a file in the folder of the file that mentions it: no
// '/', no '\', no zero byte, not "." or "..", 1 to 255 bytes.
void require_sibling_name(std::string_view name, const Subject& subject);

// The path of another file in the folder of `file`. Errors: kUnsupported if `file` has no folder.
std::string sibling_of(const InputFile& file, const std::string& name);

}  // namespace pqw
