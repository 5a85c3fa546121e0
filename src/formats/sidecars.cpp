// Folders of models: the files beside the weights.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/subject.h"
#include "formats/append_range.h"
#include "formats/json_file.h"
#include "formats/json_splice.h"
#include "formats/model_folder.h"
#include "io/input_file.h"
#include "pqw/io/atomic_file.h"

namespace pqw {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kConfig = "config.json";
constexpr char kQuantization[] = "quantization_config";
constexpr char kMethod[] = "pqw";
constexpr std::uint64_t kMaxConfigBytes = 16 << 20;

bool is_weights(std::string_view name) {
  constexpr std::array<std::string_view, 8> kEndings = {
      ".safetensors", ".index.json", ".bin", ".h5", ".npz", ".gguf", ".pt", ".onnx"};
  return name == "model.json" || std::ranges::any_of(kEndings, [&](std::string_view ending) {
           return name.ends_with(ending);
         });
}

bool is_sidecar(std::string_view name) {
  constexpr std::array<std::string_view, 7> kEndings = {".json",  ".txt", ".model", ".tiktoken",
                                                        ".jinja", ".md",  ".py"};
  constexpr std::array<std::string_view, 2> kBeginnings = {"LICENSE", "NOTICE"};
  const auto ends = [&](std::string_view ending) { return name.ends_with(ending); };
  const auto begins = [&](std::string_view beginning) { return name.starts_with(beginning); };
  return !is_weights(name) &&
         (std::ranges::any_of(kEndings, ends) || std::ranges::any_of(kBeginnings, begins));
}

std::string path_in(const std::string& folder, std::string_view name) {
  return folder + (folder.ends_with('/') ? "" : "/") + std::string(name);
}

bool has_config(const std::string& folder) {
  const std::vector<std::string> names = list_folder(folder);
  return std::ranges::find(names, kConfig) != names.end();
}

// The text of a JSON object.
std::string read_config(const std::string& folder) {
  const InputFile file(path_in(folder, kConfig));
  const Subject subject{file.path()};
  if (file.size() > kMaxConfigBytes) {
    throw subject.error("{} bytes, expected at most {}", file.size(), kMaxConfigBytes);
  }
  (void)read_json_object(file, {});  // checks depth and keys
  const std::vector<std::byte> bytes = file.read_start(kMaxConfigBytes);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write_text(OutputFolder& to, std::string_view name, const std::string& text) {
  AtomicFile file(to.path_of(std::string(name)));
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// All but config.json. Folders and links that lead nowhere are not copied.
void copy_others(const std::string& from, OutputFolder& to) {
  for (const std::string& path : sidecars_in(from)) {
    if (name_of(path) == kConfig) continue;
    const InputFile input(path);
    AtomicFile output(to.path_of(name_of(path)));
    append_range(output, input, 0, input.size());
    input.require_unchanged();
    output.commit();
  }
}

// The text of the object that this tool wrote; empty if there is none.
std::string_view own_quantization(std::string_view config) {
  const std::string_view text = member_text(config, kQuantization);
  const bool is_own =
      text.starts_with('{') && member_text(text, "quant_method") == Json(kMethod).dump();
  return is_own ? text : std::string_view();
}

}  // namespace

bool is_model_file(std::string_view name) { return is_weights(name) || is_sidecar(name); }

std::string sidecar_folder(const std::string& input) {
  if (is_folder(input)) return input;
  if (!input.ends_with(".index.json")) return "";
  const std::size_t slash = input.rfind('/');
  return slash == input.npos ? "." : input.substr(0, slash + 1);
}

std::vector<std::string> sidecars_in(const std::string& folder) {
  std::vector<std::string> paths;
  for (const std::string& name : list_folder(folder)) {
    const std::string path = path_in(folder, name);
    if (is_sidecar(name) && is_regular_file(path)) paths.push_back(path);
  }
  return paths;
}

std::vector<std::string> not_copied(const std::string& folder, std::span<const std::string> files) {
  std::vector<std::string> names;
  for (const std::string& name : list_folder(folder)) {
    const std::string path = path_in(folder, name);
    const bool is_used = std::ranges::find(files, name, name_of) != files.end();
    if (is_folder(path)) {
      names.push_back(name + "/");
    } else if (!is_used && !(is_sidecar(name) && is_regular_file(path))) {
      names.push_back(name);
    }
  }
  return names;
}

void copy_sidecars(const std::string& from, OutputFolder& to, const QuantizationConfig& config) {
  copy_others(from, to);
  if (!has_config(from)) return;
  const std::string text = read_config(from);
  Json quantization = {{"quant_method", kMethod},
                       {"version", config.version},
                       {"modules_to_not_convert", config.plain_modules}};
  if (config.max_shard_bytes > 0) quantization["max_shard_size"] = config.max_shard_bytes;
  std::string own = indented_json(quantization);
  const std::string_view original = member_text(text, kQuantization);
  if (!original.empty()) own = with_member(own, "original", original);
  write_text(to, kConfig, with_member(text, kQuantization, own));
}

void restore_sidecars(const std::string& from, OutputFolder& to) {
  copy_others(from, to);
  if (!has_config(from)) return;
  std::string text = read_config(from);
  if (const std::string_view own = own_quantization(text); !own.empty()) {
    const std::string original(member_text(own, "original"));
    text = original.empty() ? without_member(text, kQuantization)
                            : with_member(text, kQuantization, original);
  }
  write_text(to, kConfig, text);
}

std::optional<std::uint64_t> recorded_shard_bytes(const std::string& folder) {
  if (!has_config(folder)) return std::nullopt;
  const std::string text = read_config(folder);
  const std::string_view own = own_quantization(text);
  if (own.empty()) return std::nullopt;
  const Json size = Json::parse(own).value("max_shard_size", Json());
  if (!size.is_number_unsigned()) return std::nullopt;
  return size.get<std::uint64_t>();
}

ShardPlan plan_shards(std::span<const std::size_t> tensor_bytes,
                      std::optional<std::uint64_t> max_shard_bytes) {
  constexpr std::size_t kMaxShards = 99999;  // as the names have digits
  ShardPlan plan{{}, {0}};
  std::uint64_t shard_bytes = 0;
  for (const std::size_t n_bytes : tensor_bytes) {
    const bool fits = !max_shard_bytes || shard_bytes + n_bytes <= *max_shard_bytes;
    if (!fits && plan.counts.back() > 0 && plan.counts.size() < kMaxShards) {
      plan.counts.push_back(0);
      shard_bytes = 0;
    }
    ++plan.counts.back();
    shard_bytes += n_bytes;
  }
  const std::size_t n_shards = plan.counts.size();
  for (std::size_t i = 1; i <= n_shards; ++i) {
    plan.files.push_back(n_shards == 1
                             ? "model.safetensors"
                             : fmt::format("model-{:05}-of-{:05}.safetensors", i, n_shards));
  }
  return plan;
}

void write_shard_index(OutputFolder& to, const ShardPlan& plan,
                       std::span<const std::string> tensors, std::uint64_t total_bytes) {
  nlohmann::json map = nlohmann::json::object();  // in the order of names
  std::size_t tensor = 0;
  for (std::size_t i = 0; i < plan.files.size(); ++i) {
    for (std::size_t n = plan.counts[i]; n > 0; --n) map[tensors[tensor++]] = plan.files[i];
  }
  const nlohmann::json index = {{"metadata", {{"total_size", total_bytes}}}, {"weight_map", map}};
  write_text(to, "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace pqw
