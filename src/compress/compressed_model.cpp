// A model that was compressed by one recipe.
#include "compress/compressed_model.h"

#include <cmath>
#include <limits>

#include "model/archive_tensors.h"
#include "pqw/compress/compress.h"

namespace pqw {

CompressedModel::CompressedModel(const std::string& model, const WeightReader& originals,
                                 const Recipe& recipe, const std::string& archive,
                                 const ReadOptions& reading)
    : originals_(originals) {
  const Report made = compress(model, archive, recipe,
                               {.overwrite = true,
                                .keep_after_seconds = std::numeric_limits<double>::infinity(),
                                .reading = reading});
  file_bytes_ = made.file_bytes;
  recipe_ = recipe_text(made);
  for (const TensorReport& tensor : made.tensors) {
    const bool differs = tensor.compressed() && tensor.distortion &&
                         tensor.distortion->squared_error() > 0 &&
                         std::isfinite(tensor.distortion->relative_error());
    if (differs) reports_.emplace(tensor.info.name, tensor);
  }
  reader_ = open_decoded(archive, {.trusted = true});  // this process made it
  find_places();
}

// A tensor of the archive may replace one of equal name, type and shape.
void CompressedModel::find_places() {
  places_.assign(originals_.tensors().size(), kNone);
  original_index_.assign(reader_->tensors().size(), kNone);
  std::map<std::string, std::size_t> indices;
  for (std::size_t i = 0; i < places_.size(); ++i) indices[originals_.tensors()[i].name] = i;
  for (std::size_t place = 0; place < original_index_.size(); ++place) {
    const TensorInfo& info = reader_->tensors()[place];
    const auto found = indices.find(info.name);
    if (found == indices.end()) continue;
    original_index_[place] = found->second;
    const TensorInfo& original = originals_.tensors()[found->second];
    const bool fits = original.dtype == info.dtype && original.unknown == info.unknown &&
                      original.shape == info.shape;
    if (fits) places_[found->second] = place;
  }
}

const TensorReport* CompressedModel::report_of(std::size_t original) const {
  const auto found = reports_.find(originals_.tensors()[original].name);
  return found == reports_.end() || places_[original] == kNone ? nullptr : &found->second;
}

std::size_t CompressedModel::stored_as(std::size_t original) const {
  const std::size_t place = places_[original];
  return place == kNone ? original : original_index_[reader_->stored_as(place)];
}

}  // namespace pqw
