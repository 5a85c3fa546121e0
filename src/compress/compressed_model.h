// A model that was compressed by one recipe: the values that it decodes to, and their errors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pqw/compress/recipe.h"
#include "pqw/formats/weight_file.h"
#include "pqw/io/options.h"
#include "pqw/pipeline/report.h"

namespace pqw {

class CompressedModel {
 public:
  // Writes `archive`, replacing a file there. Errors: those of compress and open_decoded. REQUIRES:
  // `originals` are the tensors of `model`, and outlive it.
  CompressedModel(const std::string& model, const WeightReader& originals, const Recipe& recipe,
                  const std::string& archive, const ReadOptions& reading);

  std::uint64_t file_bytes() const { return file_bytes_; }
  const std::string& recipe() const { return recipe_; }  // that makes the archive again

  // The outcome for the tensor with that index in the original; null if its values are those of the
  // original.
  const TensorReport* report_of(std::size_t original) const;

  // The index in the original of the tensor that stores the values; the index itself if the archive
  // does not have the tensor.
  std::size_t stored_as(std::size_t original) const;

  // The decoded bytes. Safe for use from several threads at once. REQUIRES: report_of(original).
  std::vector<std::byte> read(std::size_t original) const {
    return reader_->read(places_[original]);
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  void find_places();

  const WeightReader& originals_;
  std::uint64_t file_bytes_ = 0;
  std::string recipe_;
  std::map<std::string, TensorReport> reports_;  // of the tensors that differ from the original
  std::unique_ptr<WeightReader> reader_;
  std::vector<std::size_t> places_;          // in the archive, by index in the original
  std::vector<std::size_t> original_index_;  // by place in the archive
};

}  // namespace pqw
