// Copies of a weight file in which some tensors have the values that an archive decodes to.
#include "compress/mixed_model.h"

#include <map>
#include <utility>

#include "model/archive_tensors.h"

namespace pqw {

DecodedTensors::DecodedTensors(const std::string& archive, const WeightReader& originals)
    : reader_(open_decoded(archive, {.trusted = true})),  // this process made it
      places_(originals.tensors().size(), kNone),
      originals_(reader_->tensors().size(), kNone) {
  std::map<std::string, std::size_t> indices;
  for (std::size_t i = 0; i < places_.size(); ++i) indices[originals.tensors()[i].name] = i;
  for (std::size_t place = 0; place < originals_.size(); ++place) {
    const TensorInfo& info = reader_->tensors()[place];
    const auto found = indices.find(info.name);
    if (found == indices.end()) continue;
    originals_[place] = found->second;
    const TensorInfo& original = originals.tensors()[found->second];
    const bool fits = original.dtype == info.dtype && original.unknown == info.unknown &&
                      original.shape == info.shape;
    if (fits) places_[found->second] = place;
  }
}

std::size_t DecodedTensors::stored_as(std::size_t original) const {
  return has(original) ? originals_[reader_->stored_as(places_[original])] : original;
}

std::vector<std::byte> DecodedTensors::read(std::size_t original) const {
  return reader_->read(places_[original]);
}

void write_mixed_model(const std::string& model, const WeightReader& originals,
                       const DecodedTensors& decoded, std::span<const std::size_t> tensors,
                       const std::string& path, const ReadOptions& reading) {
  std::vector<TensorInfo> infos;
  for (const std::size_t i : tensors) infos.push_back(originals.tensors()[i]);
  const CopyWriter copy = create_copy(model, path, std::move(infos), reading, {.overwrite = true});
  for (const std::size_t i : tensors) copy.writer->add(decoded.read(i));
  copy.writer->commit();
}

}  // namespace pqw
