// Reads the JSON header of a safetensors file.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "core/subject.h"
#include "formats/json_file.h"
#include "formats/safetensors_header.h"

namespace pqw {
namespace {

constexpr std::uint64_t kMaxNumber = std::numeric_limits<std::ptrdiff_t>::max();

// Receives the events of nlohmann's parser, which keeps its own stack on the heap; what may come
// next follows from `level_`, so that nothing can nest deeper than the format does. Events that do
// not fit end in an exception, and therefore every handler returns true.
class HeaderHandler {
 public:
  using json = nlohmann::json;

  explicit HeaderHandler(const std::string& path) : path_(path) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(std::size_t) {
    if (level_ == Level::kOutside) {
      level_ = Level::kTop;
    } else if (level_ == Level::kTop) {
      level_ = name_ == kSafetensorsMetadataKey ? Level::kMetadata : Level::kEntry;
      entry_ = {};
      entry_.info.name = name_;
    } else {
      refuse("an object");
    }
    return true;
  }

  bool key(std::string& key) {
    if (level_ == Level::kTop) {
      name_ = key;
      if (!names_.insert(key).second) fail("the name occurs twice in the header");
    } else if (level_ == Level::kMetadata) {
      if (header_.metadata.contains(key)) fail("the key '{}' occurs twice", shown(key));
    } else if (key != "dtype" && key != "shape" && key != "data_offsets") {
      fail("unknown key '{}', expected dtype, shape and data_offsets", shown(key));
    } else if ((key == "dtype" && dtype_) || (key == "shape" && has_shape_) ||
               (key == "data_offsets" && offsets_)) {
      fail("the key '{}' occurs twice", key);
    }
    (level_ == Level::kTop ? name_ : key_) = key;
    return true;
  }

  bool end_object() {
    if (level_ == Level::kEntry) finish_entry();
    level_ = level_ == Level::kTop ? Level::kOutside : Level::kTop;
    return true;
  }

  bool start_array(std::size_t) {
    if (level_ != Level::kEntry || key_ == "dtype") refuse("an array");
    level_ = Level::kNumbers;
    numbers_.clear();
    return true;
  }

  bool end_array() {
    level_ = Level::kEntry;
    if (key_ == "shape") {
      entry_.info.shape = numbers_;
      has_shape_ = true;
      return true;
    }
    if (numbers_.size() != 2) fail("data_offsets holds {} numbers, expected 2", numbers_.size());
    offsets_ = {numbers_[0], numbers_[1]};
    return true;
  }

  bool string(std::string& value) {
    if (level_ == Level::kMetadata) {
      header_.metadata.emplace(key_, value);
    } else if (level_ == Level::kEntry && key_ == "dtype") {
      dtype_ = value;
    } else {
      refuse("a string");
    }
    return true;
  }

  bool number_unsigned(std::uint64_t value) {
    if (level_ != Level::kNumbers || value > kMaxNumber) refuse(std::to_string(value));
    numbers_.push_back(value);
    return true;
  }
  bool number_integer(std::int64_t value) { return refuse(std::to_string(value)); }
  bool number_float(double, const std::string& text) { return refuse(shown(text)); }
  bool null() { return refuse("null"); }
  bool boolean(bool value) { return refuse(value ? "true" : "false"); }
  bool binary(json::binary_t&) { return refuse("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const json::exception& error) {
    throw Subject{path_}.error("the header is not valid JSON at byte {}: {}", position,
                               json_reason(error));
  }

 private:
  enum class Level { kOutside, kTop, kMetadata, kEntry, kNumbers };

  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> what, Args&&... args) const {
    throw Subject{path_}.in("tensor", name_).error(what, std::forward<Args>(args)...);
  }

  bool refuse(const std::string& found) const {
    switch (level_) {
      case Level::kOutside:
        throw Subject{path_}.error("the header is {}, expected an object", found);
      case Level::kTop:
        fail("the header maps it to {}, expected an object", found);
      case Level::kMetadata:
        fail("'{}' is {}, expected a string", shown(key_), found);
      case Level::kEntry:
        fail("{} is {}, expected {}", key_, found,
             key_ == "dtype" ? "a string" : "an array of whole numbers");
      case Level::kNumbers:
        fail("{} holds {}, expected whole numbers of at most 63 bits", key_, found);
    }
    return false;
  }

  void finish_entry() {
    if (!dtype_ || !has_shape_ || !offsets_) {
      fail("{} is missing", !dtype_ ? "dtype" : !has_shape_ ? "shape" : "data_offsets");
    }
    std::tie(entry_.begin, entry_.end) = *offsets_;
    if (entry_.begin > entry_.end) {
      fail("data_offsets [{}, {}] run backwards", entry_.begin, entry_.end);
    }
    if (const auto dtype = dtype_from_string(*dtype_)) {
      entry_.info.dtype = *dtype;
      check_size();
    } else {
      take_unknown_type();
    }
    header_.entries.push_back(std::move(entry_));
    dtype_.reset();
    offsets_.reset();
    has_shape_ = false;
  }

  void check_size() const {
    const auto count = checked_element_count(entry_.info.shape);
    const auto needed = checked_byte_count(entry_.info);
    const std::string shape = shown(to_string(entry_.info.shape));
    if (!needed && count && *count % 8 * size_in_bits(entry_.info.dtype) % 8 != 0) {
      fail("shape {} of {} does not fill whole bytes", shape, *dtype_);
    }
    if (!needed) fail("shape {} of {} is too large: its sizes exceed 63 bits", shape, *dtype_);
    const std::size_t stored = entry_.end - entry_.begin;
    if (stored != *needed) {
      fail("{} bytes stored, shape {} of {} needs {}", stored, shape, *dtype_, *needed);
    }
  }

  // For an unknown type the offsets give the size. Every type has at least one bit per element.
  void take_unknown_type() {
    if (!is_dtype_name(*dtype_)) fail("dtype '{}' is not a valid type name", shown(*dtype_));
    const std::size_t stored = entry_.end - entry_.begin;
    const auto count = checked_element_count(entry_.info.shape);
    if (!count || (*count + 7) / 8 > stored) {
      fail("{} bytes stored, shape {} of {} needs at least one bit per element", stored,
           shown(to_string(entry_.info.shape)), *dtype_);
    }
    entry_.info.dtype = DType::kUnknown;
    entry_.info.unknown = {*dtype_, stored};
  }

  const std::string& path_;
  SafetensorsHeader header_;
  std::unordered_set<std::string> names_;
  Level level_ = Level::kOutside;
  std::string name_;  // the key at the top level
  std::string key_;   // the key inside its object
  std::vector<std::size_t> numbers_;

  SafetensorsEntry entry_;
  std::optional<std::string> dtype_;
  std::optional<std::pair<std::size_t, std::size_t>> offsets_;
  bool has_shape_ = false;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view json) {
  if (json.empty() || json[0] != '{') {
    throw Subject{path}.error("the header starts with '{}', expected '{{'",
                              shown(json.substr(0, 1)));
  }
  if (const auto at = json.find('\0'); at != json.npos) {  // the parser takes it for the end
    throw Subject{path}.error("a NUL byte at byte {} of the header", at);
  }
  HeaderHandler handler(path);
  nlohmann::json::sax_parse(json, &handler);
  return handler.take();
}

void sort_and_check_ranges(const std::string& path, std::size_t data_bytes,
                           std::vector<SafetensorsEntry>& entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::size_t covered = 0;
  for (const SafetensorsEntry& entry : entries) {
    const auto subject = [&] { return Subject{path}.in("tensor", entry.info.name); };
    if (entry.begin != covered) {
      throw subject().error("data starts at {}, expected {} (the tensors {})", entry.begin, covered,
                            entry.begin < covered ? "overlap" : "leave a hole");
    }
    if (entry.end > data_bytes) {
      throw subject().error("data ends at {}, the file holds {} bytes of data", entry.end,
                            data_bytes);
    }
    covered = entry.end;
  }
  if (covered != data_bytes) {
    throw Subject{path}.error("{} bytes of data, the tensors cover {}", data_bytes, covered);
  }
}

}  // namespace pqw
