// Reads the manifest of a TensorFlow.js model.
#include "formats/tfjs_manifest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <unordered_set>

#include "formats/json_file.h"

namespace pqw {
namespace {

using nlohmann::json;

constexpr std::string_view kManifest = "weightsManifest";
constexpr std::string_view kTopology = "modelTopology";
constexpr std::size_t kMaxFiles = 1 << 14;
constexpr std::size_t kMaxRank = 32;

struct NamedType {
  std::string_view name;
  DType dtype;
};
constexpr NamedType kTypes[] = {
    {"float32", DType::kF32},   {"float16", DType::kF16}, {"int32", DType::kI32},
    {"uint8", DType::kU8},      {"uint16", DType::kU16},  {"bool", DType::kBool},
    {"complex64", DType::kC64},
};

DType dtype_of(const std::string& name, const Subject& subject) {
  const auto* const type = std::ranges::find(kTypes, name, &NamedType::name);
  if (type != std::end(kTypes)) return type->dtype;
  throw subject.error(ErrorCode::kUnsupported, "dtype '{}', expected one of TensorFlow.js",
                      shown(name));
}

Shape shape_of(const json& weight, const Subject& subject) {
  const json& sizes = json_array(weight, "shape", subject);
  if (sizes.size() > kMaxRank) {
    throw subject.error("{} dimensions, expected at most {}", sizes.size(), kMaxRank);
  }
  Shape shape;
  for (const json& size : sizes) {
    constexpr std::uint64_t kMax = std::numeric_limits<std::ptrdiff_t>::max();
    if (!size.is_number_unsigned() || size.get<std::uint64_t>() > kMax) {
      throw subject.error("shape holds {}, expected whole numbers of at most 63 bits",
                          describe_json(size));
    }
    shape.push_back(size.get<std::size_t>());
  }
  return shape;
}

double number_of(const json& object, const char* key, const Subject& subject) {
  const auto found = object.find(key);
  if (found != object.end() && found->is_number() && std::isfinite(found->get<double>())) {
    return found->get<double>();
  }
  throw subject.error("{} is {}, expected a number", key,
                      found == object.end() ? "missing" : describe_json(*found));
}

void read_quantization(const json& object, const Subject& subject, TfjsWeight& weight) {
  if (!object.is_object()) {
    throw subject.error("it is {}, expected an object", describe_json(object));
  }
  const bool is_number = weight.info.dtype == DType::kF32 || weight.info.dtype == DType::kI32;
  if (!is_number) throw subject.error("of type {}, expected F32 or I32", dtype_name(weight.info));
  const DType dtype = dtype_of(json_text(object, "dtype", subject), subject);
  if (dtype == DType::kF16 && weight.info.dtype == DType::kF32) {
    weight.info.dtype = DType::kF16;
    return;
  }
  if (dtype != DType::kU8 && dtype != DType::kU16) {
    throw subject.error("dtype {}, expected uint8, uint16, or float16 of float32",
                        to_string(dtype));
  }
  weight.quantization = {dtype, number_of(object, "scale", subject),
                         number_of(object, "min", subject)};
}

class Reader {
 public:
  explicit Reader(const InputFile& file) : subject_{file.path()} {
    constexpr std::array kKeys{kManifest, kTopology};
    object_ = read_json_object(file, kKeys);
  }

  std::vector<TfjsGroup> groups() {
    std::vector<TfjsGroup> groups;
    for (const json& group : json_array(object_, kManifest.data(), subject_)) {
      if (!group.is_object()) {
        throw subject_.error("weightsManifest holds {}, expected objects", describe_json(group));
      }
      groups.push_back({files_of(group), weights_of(group)});
    }
    return groups;
  }

  std::string keras() const {
    const auto topology = object_.find(kTopology);
    const bool has_layers =
        topology != object_.end() && topology->is_object() &&
        (topology->contains("model_config") || topology->contains("class_name"));
    return has_layers ? topology->dump() : "";
  }

 private:
  std::vector<std::string> files_of(const json& group) {
    std::vector<std::string> files;
    for (const json& path : json_array(group, "paths", subject_)) {
      if (!path.is_string()) {
        throw subject_.error("paths holds {}, expected strings", describe_json(path));
      }
      const auto& name = path.get_ref<const std::string&>();
      require_sibling_name(name, subject_.in("paths"));
      if (!files_.insert(name).second) throw subject_.error("names '{}' twice", shown(name));
      if (files_.size() > kMaxFiles) throw subject_.error("names more than {} files", kMaxFiles);
      files.push_back(name);
    }
    return files;
  }

  std::vector<TfjsWeight> weights_of(const json& group) {
    std::vector<TfjsWeight> weights;
    for (const json& object : json_array(group, "weights", subject_)) {
      if (!object.is_object()) {
        throw subject_.error("weights holds {}, expected objects", describe_json(object));
      }
      weights.push_back(weight_of(object));
    }
    return weights;
  }

  TfjsWeight weight_of(const json& object) {
    TfjsWeight weight;
    weight.info.name = json_text(object, "name", subject_);
    const Subject subject = subject_.in("tensor", weight.info.name);
    if (!names_.insert(weight.info.name).second) throw subject.error("the name occurs twice");
    weight.info.shape = shape_of(object, subject);
    const std::string& dtype = json_text(object, "dtype", subject);
    weight.is_text = dtype == "string";
    weight.info.dtype = weight.is_text ? DType::kU8 : dtype_of(dtype, subject);
    const auto quantization = object.find("quantization");
    if (quantization != object.end() && !weight.is_text) {
      read_quantization(*quantization, subject.in("quantization"), weight);
    }
    const auto group = object.find("group");
    weight.is_optimizer = group != object.end() && *group == "optimizer";
    if (!checked_byte_count(weight.info)) {
      throw subject.error("shape {} is too large: its sizes exceed 63 bits",
                          to_string(weight.info.shape));
    }
    return weight;
  }

  const Subject subject_;
  json object_;
  std::unordered_set<std::string> names_, files_;
};

}  // namespace

std::size_t TfjsWeight::stored_bytes() const {
  return element_count(info.shape) * size_in_bytes(quantization ? quantization->dtype : info.dtype);
}

TfjsManifest read_tfjs_manifest(const InputFile& file) {
  Reader reader(file);
  return {reader.groups(), reader.keras()};
}

}  // namespace pqw
