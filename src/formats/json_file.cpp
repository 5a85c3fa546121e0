// JSON files that describe weights in other files, read with limits.
#include "formats/json_file.h"

#include <algorithm>
#include <unordered_set>
#include <vector>

namespace pqw {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 512;
constexpr std::size_t kMaxContainers = std::size_t{1} << 20;  // objects and arrays

std::string_view text_in(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool starts_with_brace(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // the mark of UTF-8
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '{';
}

// Checks the depth, the number of containers, and the keys in the wanted values of the outer object.
class Check {
 public:
  Check(Subject subject, std::span<const std::string_view> wanted)
      : subject_(std::move(subject)), wanted_(wanted) {}

  // As nlohmann calls it: `depth` counts the containers around the event.
  void operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (depth >= kMaxDepth) throw subject_.error("nests deeper than {} levels", kMaxDepth);
    const auto level = static_cast<std::size_t>(depth);
    const bool is_object = event == json::parse_event_t::object_start;
    if ((is_object || event == json::parse_event_t::array_start) &&
        ++n_containers_ > kMaxContainers) {
      throw subject_.error("more than {} objects and arrays", kMaxContainers);
    }
    if (is_object && (level == 0 || is_wanted_)) {
      keys_.resize(std::max(keys_.size(), level + 2));
      keys_[level + 1].clear();
    }
    if (event != json::parse_event_t::key || (level > 1 && !is_wanted_)) return;
    const auto& key = parsed.get_ref<const std::string&>();
    if (level == 1) is_wanted_ = std::ranges::find(wanted_, key) != wanted_.end();
    if (!keys_[level].insert(key).second) {
      throw subject_.error("the key '{}' occurs twice", shown(key));
    }
  }

 private:
  const Subject subject_;
  const std::span<const std::string_view> wanted_;
  std::size_t n_containers_ = 0;
  bool is_wanted_ = false;                             // the present key of the outer object
  std::vector<std::unordered_set<std::string>> keys_;  // of the open objects, by depth
};

const json& member(const json& object, const char* key, const Subject& subject) {
  const auto found = object.find(key);
  if (found == object.end()) throw subject.error("{} is missing", key);
  return *found;
}

}  // namespace

bool is_json_with(const InputFile& file, std::string_view text) {
  constexpr std::size_t kStart = 4096;
  if (file.size() > kMaxJsonBytes || !starts_with_brace(text_in(file.read_start(kStart)))) {
    return false;
  }
  return text_in(file.read_start(kMaxJsonBytes)).find(text) != std::string_view::npos;
}

json read_json_object(const InputFile& file, std::span<const std::string_view> keys) {
  const Subject subject{file.path()};
  if (file.size() > kMaxJsonBytes) {
    throw subject.error("{} bytes of JSON, expected at most {}", file.size(), kMaxJsonBytes);
  }
  const std::vector<std::byte> bytes = file.read_start(kMaxJsonBytes);
  const std::string_view text = text_in(bytes);
  if (const auto at = text.find('\0'); at != text.npos) {  // the parser takes it for the end
    throw subject.error("a NUL byte at byte {} of the JSON", at);
  }
  file.require_unchanged();
  if (!starts_with_brace(text)) throw subject.error("expected JSON that starts with '{{'");
  Check check(subject, keys);
  try {
    // Keeps nothing: where values are kept, the end of each object costs a look at all its siblings.
    const std::string strict = strict_json(text);
    json object =
        json::parse(strict, [&](int depth, json::parse_event_t event, const json& parsed) {
          check(depth, event, parsed);
          return false;
        });
    object = json::parse(strict);
    return object;
  } catch (const json::exception& error) {
    throw subject.error("not valid JSON: {}", json_reason(error));
  }
}

std::string strict_json(std::string_view text) {
  std::string strict;
  strict.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    std::size_t n = 1;
    if (in_string) {
      if (rest[0] == '\\' && rest.size() > 1) n = 2;
      in_string = rest[0] != '"';
    } else {
      in_string = rest[0] == '"';
      for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
        if (!rest.starts_with(word)) continue;
        strict += "null";
        i += word.size();
        n = 0;
        break;
      }
    }
    strict += rest.substr(0, n);
    i += n;
  }
  return strict;
}

std::string json_reason(const json::exception& error) {
  std::string_view reason = error.what();  // "[id] parse error at ...: reason; last read: ..."
  if (const auto at = reason.find("syntax error"); at != reason.npos) reason.remove_prefix(at);
  return shown(reason.substr(0, reason.find("; last read")));
}

std::string describe_json(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_string()) return "a string";
  return value.dump();
}

const json& json_array(const json& object, const char* key, const Subject& subject) {
  const json& value = member(object, key, subject);
  if (!value.is_array()) {
    throw subject.error("{} is {}, expected an array", key, describe_json(value));
  }
  return value;
}

const std::string& json_text(const json& object, const char* key, const Subject& subject) {
  const json& value = member(object, key, subject);
  if (!value.is_string()) {
    throw subject.error("{} is {}, expected a string", key, describe_json(value));
  }
  return value.get_ref<const std::string&>();
}

void require_sibling_name(std::string_view name, const Subject& subject) {
  constexpr std::size_t kLongest = 255;
  using namespace std::string_view_literals;
  const bool is_plain = !name.empty() && name.size() <= kLongest && name != "." && name != ".." &&
                        name.find_first_of("/\\\0"sv) == name.npos;
  if (is_plain) return;
  throw subject.error("the file '{}' is named, expected the name of a file in the same folder",
                      shown(name));
}

std::string sibling_of(const InputFile& file, const std::string& name) {
  if (file.is_temporary()) {
    throw Subject{file.path()}.error(ErrorCode::kUnsupported,
                                     "names other files; give it unpacked, by its path");
  }
  const std::size_t slash = file.path().rfind('/');
  return slash == std::string::npos ? name : file.path().substr(0, slash + 1) + name;
}

}  // namespace pqw
