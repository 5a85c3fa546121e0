// Opens files of tensors by their content, creates them by their extension.
#include "pqw/formats/weight_file.h"

#include <fmt/format.h>

#include <string_view>
#include <unordered_set>

#include "core/subject.h"
#include "formats/detect.h"
#include "formats/extension.h"
#include "formats/foreign.h"
#include "formats/hdf5_file.h"
#include "formats/npy_file.h"
#include "formats/npz_file.h"
#include "formats/safetensors_file.h"

namespace pqw {
namespace {

void require_distinct_names(const std::string& path, const std::vector<TensorInfo>& tensors) {
  std::unordered_set<std::string_view> names;
  for (const TensorInfo& info : tensors) {
    if (!names.insert(info.name).second) {
      throw Subject{path}
          .in("tensor", info.name)
          .error(ErrorCode::kInvalidArgument, "the name is given twice");
    }
  }
}

}  // namespace

std::string to_string(const Skipped& skipped) {
  return fmt::format("'{}' {}", shown(skipped.name), skipped.what);
}

std::unique_ptr<WeightReader> open_weights(const std::string& path, const ReadOptions& options) {
  InputFile file(path);
  switch (detect_format(file)) {
    case FileFormat::kSafetensors:
      return open_safetensors(std::move(file));
    case FileFormat::kNpy:
      return open_npy(std::move(file));
    case FileFormat::kZip:
      return open_npz(std::move(file));
    case FileFormat::kHdf5:
      return options.trusted ? open_hdf5(std::move(file)) : open_hdf5_isolated(std::move(file));
    case FileFormat::kOther:
      break;
  }
  if (const auto foreign = recognise_foreign(file)) {
    throw Subject{path}.error(foreign->code, "the file is {}; {}", foreign->what, foreign->next);
  }
  throw Subject{path}.error("the file is {}; expected safetensors, .npy, .npz or HDF5",
                            describe_start(file));
}

std::unique_ptr<WeightWriter> create_weights(const std::string& path,
                                             std::vector<TensorInfo> tensors,
                                             const Metadata& metadata, bool overwrite) {
  require_weight_extension(path);
  require_distinct_names(path, tensors);
  const std::string extension = extension_of(path);
  if (extension == ".safetensors") {
    return create_safetensors(path, std::move(tensors), metadata, overwrite);
  }
  if (extension == ".npy") return create_npy(path, std::move(tensors), overwrite);
  if (extension == ".npz") return create_npz(path, std::move(tensors), overwrite);
  return create_hdf5(path, std::move(tensors), metadata, overwrite);
}

}  // namespace pqw
