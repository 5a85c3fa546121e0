// Finished tensors of a run, kept beside its output.
#include "compress/kept_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "archive/digest.h"
#include "compress/joint_layers.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/kernels.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

// Metadata of a part: one text "INDEX" or "INDEX fallback" per tensor, under its number.
constexpr char kFallback[] = " fallback";
constexpr char kPartEnding[] = ".part";

std::string place_of(const KeptTensor& tensor) {
  return std::to_string(tensor.index) + (tensor.by_fallback ? kFallback : "");
}

// Whether path_of, or the temporary beside it, gives files that name.
bool is_name_of_part(std::string_view name) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  constexpr std::size_t kDigits = 2 * sizeof(archive::Digest);
  const std::string_view ending = name.substr(std::min(kDigits, name.size()));
  return name.substr(0, kDigits).find_first_not_of(kHexDigits) == name.npos &&
         (ending == kPartEnding || ending == std::string(kPartEnding) + kTemporarySuffix);
}

bool is_folder_or_absent(const std::string& path) {
  std::error_code ignored;
  const auto type = std::filesystem::symlink_status(path, ignored).type();
  return type == std::filesystem::file_type::directory ||
         type == std::filesystem::file_type::not_found;
}

KeptTensor read_tensor(const ArchiveReader& part, std::size_t i) {
  KeptTensor tensor;
  const std::string& place = part.metadata().at(std::to_string(i));
  std::from_chars(place.data(), place.data() + place.size(), tensor.index);
  tensor.by_fallback = place.ends_with(kFallback);
  tensor.record = part.read(i);
  return tensor;
}

}  // namespace

std::string KeptTensors::path_of(const std::string& key) const {
  return folder_ + "/" + key + kPartEnding;
}

void KeptTensors::require_folder() const {
  if (is_folder_or_absent(folder_)) return;
  throw Error(ErrorCode::kIo, folder_ + ": is not a folder; finished tensors are kept in one");
}

void KeptTensors::save(const std::string& key, std::span<const KeptTensor> tensors) const {
  require_folder();
  std::error_code error;
  std::filesystem::create_directory(folder_, error);
  if (error) throw Error(ErrorCode::kIo, folder_ + ": cannot create: " + error.message());
  ArchiveWriterOptions options{.overwrite = true, .metadata = {{"key", key}}};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    options.metadata[std::to_string(i)] = place_of(tensors[i]);
  }
  ArchiveWriter writer(path_of(key), options);
  for (const KeptTensor& tensor : tensors) writer.add(tensor.record);
  writer.commit();
}

std::vector<KeptTensor> KeptTensors::load(const std::string& key) const {
  std::vector<KeptTensor> tensors;
  try {
    const ArchiveReader part(path_of(key), options_);
    if (part.metadata().at("key") != key) return {};
    for (std::size_t i = 0; i < part.entries().size(); ++i) {
      tensors.push_back(read_tensor(part, i));
    }
  } catch (const Error&) {
    return {};
  } catch (const std::out_of_range&) {  // of metadata
    return {};
  }
  return tensors;
}

void KeptTensors::remove() const {
  std::error_code ignored;
  if (!std::filesystem::is_directory(std::filesystem::symlink_status(folder_, ignored))) return;
  std::filesystem::directory_iterator entry(folder_, ignored);
  for (; entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
    if (is_name_of_part(entry->path().filename().string()))
      std::filesystem::remove(entry->path(), ignored);
  }
  std::filesystem::remove(folder_, ignored);
}

void KeptTensors::give_up() {
  given_up_ = true;
  remove();
}

namespace {

// The tensors that some entries are encoded from: they, and the joint layers of those that own
// such.
std::vector<std::size_t> sources_of(std::span<const PlanEntry> plan, std::size_t first,
                                    std::size_t n) {
  std::vector<std::size_t> sources;
  for (std::size_t i = first; i < first + n; ++i) {
    if (!plan[i].compress) continue;
    sources.push_back(i);
    if (!owns_layers(plan[i], i)) continue;
    for (const std::size_t layer : plan[i].layers) {
      if (layer >= first + n) sources.push_back(layer);
    }
  }
  return sources;
}

}  // namespace

Encoder this_encoder() { return {PQW_VERSION, std::string(kernel_name())}; }

std::string key_of_part(const WeightReader& reader, std::span<const PlanEntry> plan,
                        std::size_t first, std::size_t n, const Encoder& encoder) {
  archive::Sha256 sum;
  const auto add = [&](const std::string& text) {
    const std::uint64_t length = text.size();
    sum.update(std::as_bytes(std::span(&length, 1)));
    sum.update(std::as_bytes(std::span(text)));
  };
  add(encoder.version);
  add(encoder.kernels);
  for (const std::size_t i : sources_of(plan, first, n)) {
    const PlanEntry& entry = plan[i];
    add(fmt::format("{} {} {}", i, to_string(entry.info.dtype), to_string(entry.info.shape)));
    add(entry.info.name);
    add(entry.settings);
    if (!entry.layers.empty()) add(fmt::format("joint {}", fmt::join(entry.layers, " ")));
    const archive::Digest bytes = archive::sha256(reader.read(i));
    sum.update(bytes);
  }
  return archive::to_hex(sum.finish());
}

}  // namespace pqw
