// Finished tensors of a run, kept beside its output.
#include "compress/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "archive/digest.h"
#include "codecs/cast.h"
#include "core/subject.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/kernels.h"

namespace pqw {
namespace {

constexpr char kPartEnding[] = ".part";

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

// The numbers of a report that its record does not tell, bit by bit: only the same version of the
// program reads them.
struct Figures {
  std::uint64_t n_parameters;
  std::uint64_t inner_width;
  Distortion distortion;
};
using FigureWords = std::array<std::uint64_t, sizeof(Figures) / sizeof(std::uint64_t)>;

// The metadata of tensor number i: its settings, its note and its figures.
std::string key_of(std::size_t i, const char* what) { return fmt::format("{} {}", i, what); }

void describe(const TensorReport& report, std::size_t i, Metadata& metadata) {
  const Figures figures{report.n_parameters, report.inner_width, report.distortion.value()};
  metadata[key_of(i, "settings")] = report.settings;
  metadata[key_of(i, "note")] = report.note;
  metadata[key_of(i, "figures")] =
      fmt::format("{:x}", fmt::join(std::bit_cast<FigureWords>(figures), " "));
}

StoredTensor read_tensor(const ArchiveReader& part, std::size_t i) {
  const ArchiveEntry& entry = part.entries()[i];
  FigureWords words;
  std::istringstream text(part.metadata().at(key_of(i, "figures")));
  for (std::uint64_t& word : words) text >> std::hex >> word;
  if (!text) throw std::out_of_range("figures");
  const auto figures = std::bit_cast<Figures>(words);
  StoredTensor tensor{entry.info, {}, {}};
  if (entry.codec == "plain") {
    tensor.content = PlainBytes{std::make_shared<const std::vector<std::byte>>(part.read_plain(i))};
  } else {
    tensor.content = part.read(i);
  }
  tensor.report = {.info = entry.info,
                   .codec = entry.codec,
                   .settings = part.metadata().at(key_of(i, "settings")),
                   .options = entry.options,
                   .note = part.metadata().at(key_of(i, "note")),
                   .bytes = entry.data_bytes,
                   .n_parameters = figures.n_parameters,
                   .inner_width = figures.inner_width,
                   .narrowed = entry.codec == kCastCodec,
                   .distortion = figures.distortion};
  return tensor;
}

}  // namespace

std::string Checkpoint::path_of(const std::string& key) const {
  return folder_ + "/" + key + kPartEnding;
}

void Checkpoint::require_folder() const {
  if (is_folder_or_absent(folder_)) return;
  throw Subject{folder_}.error(ErrorCode::kIo, "is not a folder; finished tensors are kept in one");
}

void Checkpoint::save(const std::string& key, std::span<const StoredTensor> tensors) const {
  require_folder();
  std::error_code error;
  std::filesystem::create_directory(folder_, error);
  if (error) throw Subject{folder_}.error(ErrorCode::kIo, "cannot create: {}", error.message());
  ArchiveWriterOptions options{.overwrite = true, .metadata = {{"key", key}}};
  for (std::size_t i = 0; i < tensors.size(); ++i) describe(tensors[i].report, i, options.metadata);
  ArchiveWriter writer(path_of(key), options);
  for (const StoredTensor& tensor : tensors) add(tensor, writer);
  writer.commit();
}

std::optional<std::vector<StoredTensor>> Checkpoint::load(const std::string& key) const try {
  const ArchiveReader part(path_of(key), options_);
  if (part.metadata().at("key") != key) return std::nullopt;
  std::vector<StoredTensor> tensors;
  for (std::size_t i = 0; i < part.entries().size(); ++i) tensors.push_back(read_tensor(part, i));
  return tensors;
} catch (const Error&) {
  return std::nullopt;
} catch (const std::out_of_range&) {  // of metadata
  return std::nullopt;
}

void Checkpoint::remove() const {
  std::error_code ignored;
  if (!std::filesystem::is_directory(std::filesystem::symlink_status(folder_, ignored))) return;
  std::filesystem::directory_iterator entry(folder_, ignored);
  for (; entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
    if (is_name_of_part(entry->path().filename().string()))
      std::filesystem::remove(entry->path(), ignored);
  }
  std::filesystem::remove(folder_, ignored);
}

Encoder this_encoder() { return {PQW_VERSION, std::string(kernel_name())}; }

PartKey::PartKey(const Encoder& encoder) {
  add(encoder.version);
  add(encoder.kernels);
}

void PartKey::add(const std::string& text) {
  const std::uint64_t length = text.size();
  sum_.update(std::as_bytes(std::span(&length, 1)));
  sum_.update(std::as_bytes(std::span(text)));
}

void PartKey::add(const WorkItem& item, std::span<Source> sources) {
  add(fmt::format("{}", fmt::join(item.tensors, " ")));
  add(fmt::format("{},{} {}", item.settings, item.preset, static_cast<int>(item.plain_dtype)));
  if (item.has_bias) add(fmt::format("bias {}", static_cast<int>(item.correct_bias)));
  for (Source& source : sources) {
    const TensorInfo& info = source.info();
    add(fmt::format("{} {} {} {}", to_string(info.dtype), to_string(info.shape),
                    to_string(info.layout.kind), to_string(info.layout.axes)));
    add(info.name);
    sum_.update(source.digest());
  }
}

void PartKey::add(const InputStatistics& inputs) {
  add(fmt::format("{} {}", inputs.n_rows, inputs.gram_block));
  sum_.update(std::as_bytes(std::span(inputs.means)));
  sum_.update(std::as_bytes(std::span(inputs.second_moments)));
  sum_.update(std::as_bytes(std::span(inputs.gram)));
  sum_.update(std::as_bytes(std::span(inputs.held_out)));
}

std::string PartKey::finish() { return archive::to_hex(sum_.finish()); }

}  // namespace pqw
