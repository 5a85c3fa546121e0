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

std::size_t decode_archive(const std::string& archive, const std::string& output,
                           const std::string& pattern, bool overwrite, const ReadOptions& options) {
  require_different_files(std::span(&archive, 1), output);
  (void)format_of_output(output);
  require_archive(archive);
  const auto reader = open_decoded(archive, options);
  const std::vector<std::size_t> indices = select_tensors(archive, reader->tensors(), pattern);
  std::vector<TensorInfo> infos;
  for (const std::size_t i : indices) infos.push_back(reader->tensors()[i]);
  const auto writer = create_weights(output, infos, reader->metadata(), {.overwrite = overwrite});
  std::map<std::size_t, std::size_t>
      places;  // from the index that stores the values to the place in the output
  for (std::size_t place = 0; place < indices.size(); ++place) {
    const std::size_t i = indices[place];
    const auto [first, is_new] = places.emplace(reader->stored_as(i), place);
    if (is_new || !writer->add_name_of(first->second)) writer->add(reader->read(i));
  }
  writer->commit();
  return indices.size();
}

}  // namespace pqw
