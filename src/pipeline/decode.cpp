// Whole files: archive in, weights out.
#include "pqw/pipeline/decode.h"

#include <map>
#include <numeric>
#include <span>

#include "core/subject.h"
#include "formats/formats.h"
#include "formats/model_folder.h"
#include "io/different_files.h"
#include "model/archive_tensors.h"
#include "pqw/pipeline/select.h"

namespace pqw {

void require_archive(const std::string& path) {
  if (is_archive(path)) return;
  if (is_folder(path) && !is_regular_file(archive_file(path))) {
    throw Subject{path}.error("a folder without the archive {}", kArchiveInFolder);
  }
  const InputFile file(archive_file(path));
  if (const Format* const format = find_format(file)) {
    throw Subject{path}.error("not a pqw archive, but {}, which can be compressed into one",
                              format->file);
  }
  const Foreign foreign = describe_foreign(file);
  throw Subject{path}.error("not a pqw archive, but {}{}{}", foreign.what,
                            foreign.next.empty() ? "" : "; ", foreign.next);
}

namespace {

// Tensors of an archive that are to be written.
struct Chosen {
  std::unique_ptr<WeightReader> reader;
  std::vector<std::size_t> indices;
  std::vector<TensorInfo> infos;
};

Chosen choose(const std::string& archive, const std::string& pattern, const ReadOptions& options) {
  require_archive(archive);
  Chosen chosen{open_decoded(archive, options), {}, {}};
  const std::vector<TensorInfo>& tensors = chosen.reader->tensors();
  chosen.indices = select_tensors(archive, tensors, pattern);
  for (const std::size_t i : chosen.indices) chosen.infos.push_back(tensors[i]);
  return chosen;
}

void write(const Chosen& chosen, WeightWriter& writer) {
  // From the index that stores the values to the place in the output.
  std::map<std::size_t, std::size_t> places;
  for (std::size_t place = 0; place < chosen.indices.size(); ++place) {
    const std::size_t i = chosen.indices[place];
    const auto [first, is_new] = places.emplace(chosen.reader->stored_as(i), place);
    if (is_new || !writer.add_name_of(first->second)) writer.add(chosen.reader->read(i));
  }
  writer.commit();
}

// Tensors begin .. begin + count - 1 as a safetensors file. Libraries ask for `format`.
void write_shard(const Chosen& chosen, std::size_t begin, std::size_t count,
                 const std::string& path) {
  const std::span infos = std::span(chosen.infos).subspan(begin, count);
  Metadata metadata = chosen.reader->metadata();
  metadata.emplace("format", "pt");
  const auto writer = create_weights(path, {infos.begin(), infos.end()}, metadata);
  for (const std::size_t i : std::span(chosen.indices).subspan(begin, count)) {
    writer->add(chosen.reader->read(i));
  }
  writer->commit();
}

void decode_into_folder(const Chosen& chosen, const std::string& archive, const std::string& output,
                        const WriteOptions& options) {
  const std::string from = sidecar_folder(archive);
  std::vector<std::size_t> tensor_bytes;
  std::vector<std::string> names;
  for (const TensorInfo& info : chosen.infos) {
    tensor_bytes.push_back(byte_count(info));
    names.push_back(info.name);
  }
  const auto max_bytes = from.empty() ? std::nullopt : recorded_shard_bytes(from);
  const ShardPlan plan = plan_shards(tensor_bytes, max_bytes);
  OutputFolder folder(output, options, is_model_file);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < plan.files.size(); ++i) {
    write_shard(chosen, begin, plan.counts[i], folder.path_of(plan.files[i]));
    begin += plan.counts[i];
  }
  if (plan.files.size() > 1) {
    write_shard_index(folder, plan, names,
                      std::accumulate(tensor_bytes.begin(), tensor_bytes.end(), std::uint64_t{0}));
  }
  if (!from.empty()) restore_sidecars(from, folder);
  folder.commit();
}

}  // namespace

std::size_t decode_archive(const std::string& archive, const std::string& output,
                           const std::string& pattern, bool overwrite, const ReadOptions& options) {
  const std::string file = archive_file(archive);
  require_different_files(std::span(&file, 1), output);
  if (is_output_folder(output)) {
    const Chosen chosen = choose(archive, pattern, options);
    decode_into_folder(chosen, archive, output, {.overwrite = overwrite});
    return chosen.indices.size();
  }
  (void)format_of_output(output);
  const Chosen chosen = choose(archive, pattern, options);
  const auto writer =
      create_weights(output, chosen.infos, chosen.reader->metadata(), {.overwrite = overwrite});
  write(chosen, *writer);
  return chosen.indices.size();
}

DecodedCopy decode_into_copy(const std::string& archive, const std::string& original,
                             const std::string& output, const std::string& pattern, bool overwrite,
                             const ReadOptions& options) {
  const std::string file = archive_file(archive);
  require_different_files(std::span(&file, 1), output);
  const Chosen chosen = choose(archive, pattern, options);
  CopyWriter copy = create_copy(original, output, chosen.infos, options, {.overwrite = overwrite});
  write(chosen, *copy.writer);
  return {chosen.indices.size(), std::move(copy.kept)};
}

}  // namespace pqw
