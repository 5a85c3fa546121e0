// Whole files: archive in, weights out.
#include "pqw/pipeline/decode.h"

#include <map>
#include <span>

#include "core/subject.h"
#include "formats/formats.h"
#include "io/different_files.h"
#include "model/archive_tensors.h"
#include "pqw/pipeline/select.h"

namespace pqw {

void require_archive(const std::string& path) {
  if (is_archive(path)) return;
  const InputFile file(path);
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

}  // namespace

std::size_t decode_archive(const std::string& archive, const std::string& output,
                           const std::string& pattern, bool overwrite, const ReadOptions& options) {
  require_different_files(std::span(&archive, 1), output);
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
  require_different_files(std::span(&archive, 1), output);
  const Chosen chosen = choose(archive, pattern, options);
  CopyWriter copy = create_copy(original, output, chosen.infos, options, {.overwrite = overwrite});
  write(chosen, *copy.writer);
  return {chosen.indices.size(), std::move(copy.kept)};
}

}  // namespace pqw
