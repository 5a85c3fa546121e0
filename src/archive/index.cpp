// The index of an archive of version 2, as JSON.
#include "archive/index.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "archive/content.h"
#include "archive/layout.h"
#include "archive/record_checks.h"

namespace pqw::archive {
namespace {

using nlohmann::json;

// ---- Writing

std::string dtype_text(DType dtype) { return std::string(to_string(dtype)); }

template <class T, class Name>
std::vector<const T*> sorted(const std::vector<T>& items, Name name) {
  std::vector<const T*> result;
  for (const T& item : items) result.push_back(&item);
  std::ranges::sort(result, {}, name);
  return result;
}

// Without initializer lists: their temporary arrays allocate when they are destroyed, and where there
// is no memory, that ends the process.
json json_of(const TensorInfo& info) {
  json tensor;
  tensor["name"] = text_from_name(info.name);
  tensor["dtype"] = dtype_text(info.dtype);
  tensor["shape"] = info.shape;
  if (info.layout.kind != Kind::kUnknown) tensor["kind"] = to_string(info.layout.kind);
  if (!info.layout.axes.empty()) tensor["axes"] = info.layout.axes;
  return tensor;
}

json json_of(const Record& record, std::string& outcomes) {
  json tensor = json_of(record.info);
  tensor["codec"] = record.codec;
  if (!record.features.empty()) tensor["features"] = record.features;
  if (!record.options.empty()) {
    tensor["options"] = without_outcomes(record.options, outcomes);
  }
  for (const Section* section : sorted_sections(record)) {
    json& entry = tensor["sections"].emplace_back();
    entry.push_back(section->name);
    entry.push_back(dtype_text(section->dtype));
    entry.push_back(section->shape);
  }
  for (const Record* part : sorted_parts(record)) {
    tensor["parts"].push_back(json_of(*part, outcomes));
  }
  return tensor;
}

// ---- Reading

constexpr int kMaxNesting = 16;  // of JSON; a part of the deepest level takes 10

// The value of a key, of that type; null if the key may be missing and is.
enum class Presence { kRequired, kOptional };
const json* field(const json& object, const char* key, json::value_t type, Presence presence,
                  const Subject& subject) {
  const auto found = object.find(key);
  if (found == object.end()) {
    if (presence == Presence::kOptional) return nullptr;
    throw subject.error("'{}' is missing in the index", key);
  }
  if (found->type() == type) return &*found;
  throw subject.error("'{}' is of the JSON type {} in the index, expected {}", key,
                      found->type_name(), json(type).type_name());
}

const std::string& text_of(const json& value, const char* what, const Subject& subject) {
  if (!value.is_string()) throw subject.error("{} is not a text in the index", what);
  return value.get_ref<const std::string&>();
}

DType dtype_of(const json& value, const Subject& subject) {
  const std::string& text = text_of(value, "a dtype", subject);
  const auto dtype = dtype_from_string(text);
  if (dtype && is_basic(*dtype)) return *dtype;
  throw subject.error("dtype '{}', which is not an element type", shown(text));
}

// A shape, or axes.
Shape counts_of(const json& value, const Subject& subject) {
  Shape counts;
  for (const json& count : value) {
    if (!count.is_number_unsigned()) {
      throw subject.error("a shape or axes that are not a list of counts");
    }
    counts.push_back(count.get<std::size_t>());
  }
  return counts;
}

Section section_of(const json& value, const Subject& subject) {
  if (!value.is_array() || value.size() != 3 || !value[2].is_array()) {
    throw subject.error("a section that is not a name, a dtype and a shape");
  }
  Section section;
  section.name = text_of(value[0], "the name of a section", subject);
  const Subject of_section = subject.in("section", section.name);
  section.dtype = dtype_of(value[1], of_section);
  section.shape = counts_of(value[2], of_section);
  return section;
}

TensorInfo info_of(const json& tensor, std::string name, const Subject& subject) {
  const auto get = [&](const char* key, json::value_t type) {
    return *field(tensor, key, type, Presence::kRequired, subject);
  };
  return {std::move(name), dtype_of(get("dtype", json::value_t::string), subject),
          counts_of(get("shape", json::value_t::array), subject)};
}

// A kind that is not known is one of a later version.
Layout layout_of(const json& tensor, const Subject& subject) {
  Layout layout;
  const json* kind = field(tensor, "kind", json::value_t::string, Presence::kOptional, subject);
  const json* axes = field(tensor, "axes", json::value_t::array, Presence::kOptional, subject);
  if (kind != nullptr) {
    layout.kind = kind_from_string(kind->get<std::string>()).value_or(Kind::kUnknown);
  }
  if (axes != nullptr) layout.axes = counts_of(*axes, subject);
  return layout;
}

std::string encoded_name(const json& tensor, const Subject& subject) {
  return *field(tensor, "name", json::value_t::string, Presence::kRequired, subject);
}

template <class T, class Name>
void require_order(const std::vector<T>& items, Name name, const Subject& subject) {
  if (!std::ranges::is_sorted(items, {}, name)) {
    throw subject.error("its sections or parts are not in the order of their names");
  }
}

// All but the tensor itself. `depth` bounds the stack; check_record has the limit for messages.
void read_codec(const json& tensor, Record& record, std::size_t depth, const Subject& subject) {
  if (depth > kMaxDepth + 1) return;
  const auto get = [&](const char* key, json::value_t type) {
    return field(tensor, key, type, Presence::kOptional, subject);
  };
  if (const json* features = get("features", json::value_t::array)) {
    for (const json& feature : *features) {
      record.features.push_back(text_of(feature, "a feature", subject));
    }
  }
  if (const json* options = get("options", json::value_t::string)) record.options = *options;
  if (const json* sections = get("sections", json::value_t::array)) {
    for (const json& section : *sections) record.sections.push_back(section_of(section, subject));
  }
  if (const json* parts = get("parts", json::value_t::array)) {
    for (const json& value : *parts) {
      if (!value.is_object()) throw subject.error("a part that is not a JSON object");
      const std::string name = encoded_name(value, subject);
      const Subject of_part = subject.in("section", name);
      Record part{info_of(value, name, of_part), "", {}, "", {}};
      part.codec = *field(value, "codec", json::value_t::string, Presence::kRequired, of_part);
      read_codec(value, part, depth + 1, of_part);
      record.parts.push_back(std::move(part));
    }
  }
  require_order(record.sections, &Section::name, subject);
  require_order(
      record.parts, [](const Record& part) { return part.info.name; }, subject);
}

Record record_of(const json& tensor, const Subject& archive) {
  const std::string text = encoded_name(tensor, archive.in("index"));
  const auto name = name_from_text(text);
  if (!name) throw archive.in("index").error("'{}' is not a valid tensor name", shown(text));
  const Subject subject = archive.in("tensor", *name);
  Record record{info_of(tensor, *name, subject), kPlainCodec, {}, "", {}};
  record.info.layout = layout_of(tensor, subject);
  check_tensor(record.info, subject);
  const json* codec = field(tensor, "codec", json::value_t::string, Presence::kOptional, subject);
  if (codec == nullptr) return record;
  record.codec = *codec;
  read_codec(tensor, record, 1, subject);
  check_record(record, subject);
  return record;
}

// Takes each tensor when its object ends, so that the list is never in memory as JSON.
class IndexParser {
 public:
  explicit IndexParser(const Subject& subject) : subject_(subject) {}

  Index parse(const std::string& text) {
    json root;
    try {
      root = json::parse(text, [this](int depth, json::parse_event_t event, json& value) {
        return keep(depth, event, value);
      });
    } catch (const json::exception&) {
      throw subject_.in("index").error("not JSON");
    }
    if (!root.is_object()) throw subject_.in("index").error("not a JSON object");
    const Subject subject = subject_.in("index");
    if (!field(root, "tensors", json::value_t::array, Presence::kRequired, subject)->empty()) {
      throw subject.error("a tensor that is not a JSON object");
    }
    const json* metadata =
        field(root, "metadata", json::value_t::object, Presence::kOptional, subject);
    if (metadata != nullptr) {
      for (const auto& [key, value] : metadata->items()) {
        index_.metadata[key] = text_of(value, "a value of the metadata", subject);
      }
    }
    return std::move(index_);
  }

 private:
  bool keep(int depth, json::parse_event_t event, json& value) {
    if (depth > kMaxNesting) throw subject_.in("index").error("nested too deeply");
    using Event = json::parse_event_t;
    if (event == Event::object_start) keys_.emplace_back();
    if (event == Event::object_end) keys_.pop_back();
    if (event == Event::key && !keys_.back().insert(value.get<std::string>()).second) {
      throw subject_.in("index").error("the key '{}' occurs twice in an object",
                                       shown(value.get<std::string>()));
    }
    if (event == Event::key && depth == 1) key_ = value;
    if (event != json::parse_event_t::object_end || depth != 2 || key_ != "tensors") return true;
    Record record = record_of(value, subject_);
    const Subject subject = subject_.in("tensor", record.info.name);
    if (!names_.insert(record.info.name).second) throw subject.error("occurs twice");
    if (index_.tensors.size() == kMaxTensors) throw subject.error("too many tensors");
    index_.tensors.push_back(std::move(record));
    return false;
  }

  Subject subject_;
  std::string key_;                          // of the root object
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
  std::unordered_set<std::string> names_;
  Index index_;
};

// In the options of an index, in the place of a byte that is at the end of /data.
constexpr char kOutcome = '?';
constexpr std::array<std::string_view, 2> kOutcomeKeys = {"gain_factor", "gain_limit"};

}  // namespace

// A byte that looks like the mark moves, too.
std::string without_outcomes(std::string options, std::string& outcomes) {
  bool is_outcome = false;
  std::size_t begin = 0;  // of the key
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (options[i] == ',') {
      begin = i + 1;
      is_outcome = false;
    } else if (is_outcome || options[i] == kOutcome) {
      outcomes += std::exchange(options[i], kOutcome);
    } else if (options[i] == '=') {
      const std::string_view key = std::string_view(options).substr(begin, i - begin);
      is_outcome = std::ranges::find(kOutcomeKeys, key) != kOutcomeKeys.end();
    }
  }
  return options;
}

std::size_t n_outcomes(const Record& record) {
  auto n = static_cast<std::size_t>(std::ranges::count(record.options, kOutcome));
  for (const Record& part : record.parts) n += n_outcomes(part);
  return n;
}

void put_outcomes(Record& record, std::string_view& outcomes) {
  for (char& c : record.options) {
    if (c != kOutcome) continue;
    c = outcomes.front();
    outcomes.remove_prefix(1);
  }
  for (Record& part : record.parts) put_outcomes(part, outcomes);
}

std::vector<const Section*> sorted_sections(const Record& record) {
  return sorted<Section>(record.sections, [](const Section* section) { return section->name; });
}

std::vector<const Record*> sorted_parts(const Record& record) {
  return sorted<Record>(record.parts, [](const Record* part) { return part->info.name; });
}

IndexWriter::IndexWriter(const std::map<std::string, std::string>& metadata, const Subject& subject)
    : subject_{subject.file, ErrorCode::kInvalidArgument} {
  text_ = "{";
  try {
    if (!metadata.empty()) text_ += "\"metadata\":" + json(metadata).dump() + ",";
  } catch (const json::exception&) {
    throw subject_.in("metadata").error("not UTF-8");
  }
  text_ += "\"tensors\":[";
}

void IndexWriter::claim_name(const TensorInfo& info, const Subject& subject) {
  check_tensor(info, subject);
  if (!names_.insert(info.name).second) {
    throw subject.error("a tensor of that name was added before");
  }
  if (names_.size() > kMaxTensors) throw subject.error("more than {} tensors", kMaxTensors);
}

void IndexWriter::append(const std::string& tensor, std::uint64_t n_bytes, const Subject& subject) {
  constexpr std::uint64_t kMaxDataBytes = std::uint64_t{1} << 62;
  if (n_bytes > kMaxDataBytes - array_bytes_) throw subject.error("the archive overflows 62 bits");
  array_bytes_ += n_bytes;
  if (text_.back() != '[') text_ += ',';
  text_ += tensor;
}

void IndexWriter::add(const Record& record) {
  const Subject subject = subject_.in("tensor", record.info.name);
  claim_name(record.info, subject);
  check_record(record, subject);
  append(json_of(record, outcomes_).dump(), stored_bytes(record), subject);
}

void IndexWriter::add_plain(const TensorInfo& info) {
  const Subject subject = subject_.in("tensor", info.name);
  claim_name(info, subject);
  append(json_of(info).dump(), byte_count(info), subject);
}

Index parse_index(const std::string& text, const Subject& subject) {
  return IndexParser(subject).parse(text);
}

}  // namespace pqw::archive
