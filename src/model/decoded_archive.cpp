// An archive seen as a file of decoded tensors.
#include "model/decoded_archive.h"

#include "model/archive_tensors.h"

namespace pqw {

DecodedArchive::DecodedArchive(const std::string& path, const ReadOptions& options)
    : archive_(path, options) {
  for (std::size_t i = 0; i < archive_.entries().size(); ++i) {
    tensors_.push_back(original_info(archive_, i));
  }
}

std::size_t DecodedArchive::stored_as(std::size_t index) const {
  return stored_index(archive_, index);
}

std::vector<std::byte> DecodedArchive::read(std::size_t index) const {
  const std::size_t stored = stored_as(index);
  if (is_exact(archive_, stored)) return read_exact(archive_, stored);
  const TensorInfo& info = tensors_[index];
  const Weight weight = read_compressed(archive_, stored);
  std::vector<std::byte> bytes(byte_count(info));
  decode_rows_to(weight, info.dtype, 0, info.shape[0], bytes);
  return bytes;
}

std::unique_ptr<WeightReader> open_decoded(const std::string& path, const ReadOptions& options) {
  if (is_archive(path)) return std::make_unique<DecodedArchive>(path, options);
  return open_weights(path, options);
}

}  // namespace pqw
