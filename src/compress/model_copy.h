// Copies of a model in which some tensors have other values.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "io/output_folder.h"
#include "pqw/formats/weight_file.h"
#include "pqw/io/options.h"

namespace pqw {

// The new bytes of a tensor, by its index in the original.
using NewValues = std::function<std::vector<std::byte>(std::size_t tensor)>;

// The place of a copy, which is written again and again. A copy has the form of the model:
// - A file with a template (create_copy) is equal to it but for the new values.
// - A .npy or .npz file has all tensors of the original.
// - A folder, or the folder of an index, has links to all that the original has; each file with
//   new values is a copy of it.
class ModelCopy {
 public:
  // `name` is its name in `temporary`. Errors: those of create_copy, if the model cannot be copied;
  // kUnsupported for a .npz file with items that are not tensors. REQUIRES: `originals` outlives it.
  ModelCopy(const std::string& model, const WeightReader& originals, OutputFolder& temporary,
            const std::string& name, const ReadOptions& reading);

  // The absolute path of the file, the folder, or the index in the folder.
  const std::string& path() const { return path_; }

  // Replaces an earlier copy. `tensors` are indices that rise. Errors: those of create_copy and of
  // create_weights.
  void write(std::span<const std::size_t> tensors, const NewValues& values);

  void remove() const noexcept;

 private:
  void find_files(OutputFolder& temporary, const std::string& name);
  void require_copies();
  void write_arrays(std::span<const std::size_t> tensors, const NewValues& values);
  void write_copy(const std::string& file, const std::string& to,
                  std::span<const std::size_t> tensors, const NewValues& values) const;
  void write_folder(std::span<const std::size_t> tensors, const NewValues& values);

  std::string model_;
  const WeightReader& originals_;
  ReadOptions reading_;
  std::string folder_;  // that the model is in several files of; empty: it is one file
  std::string root_;    // of the copy; a folder if the model is one
  std::string path_;
  std::vector<std::string> files_;    // in folder_, with tensors
  std::vector<std::size_t> file_of_;  // index in files_, by tensor
};

}  // namespace pqw
