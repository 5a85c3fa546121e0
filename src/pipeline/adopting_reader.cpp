// A file whose int8 weights appear as the floats that they stand for.
#include "pipeline/adopting_reader.h"

#include <algorithm>
#include <cstring>

#include "core/permute.h"
#include "core/subject.h"
#include "model/archive_tensors.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

template <class T>
std::vector<std::int64_t> widened(std::span<const std::byte> bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return {values.begin(), values.end()};
}

std::vector<std::int64_t> integers(DType dtype, std::span<const std::byte> bytes) {
  switch (dtype) {
    case DType::kI8:
      return widened<std::int8_t>(bytes);
    case DType::kI16:
      return widened<std::int16_t>(bytes);
    case DType::kI32:
      return widened<std::int32_t>(bytes);
    case DType::kU8:
      return widened<std::uint8_t>(bytes);
    default:
      return widened<std::int64_t>(bytes);
  }
}

std::vector<std::int8_t> zero_points(DType dtype, std::span<const std::byte> bytes) {
  std::vector<std::int8_t> result;
  for (const std::int64_t value : integers(dtype, bytes)) {
    if (value < -128 || value > 127) {
      throw Subject{}.error(ErrorCode::kInvalidArgument, "zero point {}, expected -128 to 127",
                            value);
    }
    result.push_back(static_cast<std::int8_t>(value));
  }
  return result;
}

}  // namespace

Int8Weight adopted_weight(const std::string& path, std::span<const StoredPart> parts) {
  const TensorInfo& info = parts[0].info;
  const TensorInfo& scale = parts[1].info;
  try {
    const auto bytes = to_canonical(info, {parts[0].bytes.begin(), parts[0].bytes.end()});
    std::vector<std::int8_t> values(bytes.size());
    std::memcpy(values.data(), bytes.data(), values.size());
    std::vector<float> scales(element_count(scale.shape));
    to_float(parts[1].bytes, scale.dtype, scales);
    std::vector<std::int8_t> zeros;
    if (parts.size() > 2) zeros = zero_points(parts[2].info.dtype, parts[2].bytes);
    return int8_from_reference(canonical(info).shape, std::move(values), std::move(scales),
                               std::move(zeros), adopted_info(info, scale).dtype);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw Subject{path}
        .in("tensor", info.name)
        .in("scales", scale.name)
        .error(error.code(), "{}", error.what());
  }
}

TensorInfo adopted_info(const TensorInfo& values, const TensorInfo& scale) {
  const bool half = scale.dtype == DType::kF16 || scale.dtype == DType::kBF16;
  return {values.name, half ? scale.dtype : DType::kF32, values.shape, {}, values.layout};
}

AdoptingReader::AdoptingReader(const std::string& path, std::unique_ptr<WeightReader> file,
                               std::vector<Int8Reference> references)
    : path_(path), file_(std::move(file)), references_(std::move(references)) {
  metadata_ = file_->metadata();
  skipped_ = file_->skipped();
  files_ = file_->files();
  file_bytes_ = file_->file_bytes();
  const std::vector<TensorInfo>& infos = file_->tensors();
  std::vector<bool> hidden(infos.size());
  for (const Int8Reference& reference : references_) {
    hidden[reference.scale] = true;
    if (reference.zero_point) hidden[*reference.zero_point] = true;
  }
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (hidden[i]) continue;
    origins_.push_back(i);
    const Int8Reference* reference = reference_at(origins_.size() - 1);
    tensors_.push_back(reference == nullptr ? infos[i]
                                            : adopted_info(infos[i], infos[reference->scale]));
  }
}

const Int8Reference* AdoptingReader::reference_at(std::size_t index) const {
  const auto found = std::ranges::find(references_, origins_[index], &Int8Reference::values);
  return found == references_.end() ? nullptr : &*found;
}

// Equal int8 values stand for other floats where their scales differ.
std::size_t AdoptingReader::stored_as(std::size_t index) const {
  const std::size_t stored = file_->stored_as(origins_[index]);
  const auto found = std::ranges::lower_bound(origins_, stored);
  if (found == origins_.end() || *found != stored || reference_at(index) != nullptr) return index;
  const auto result = static_cast<std::size_t>(found - origins_.begin());
  return reference_at(result) == nullptr ? result : index;
}

std::vector<std::byte> AdoptingReader::read(std::size_t index) const {
  const Int8Reference* reference = reference_at(index);
  if (reference == nullptr) return file_->read(origins_[index]);
  std::vector<std::size_t> sources{reference->values, reference->scale};
  if (reference->zero_point) sources.push_back(*reference->zero_point);
  std::vector<std::vector<std::byte>> read;
  std::vector<StoredPart> parts;
  for (const std::size_t source : sources) read.push_back(file_->read(source));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    parts.push_back({file_->tensors()[sources[i]], read[i]});
  }
  return decoded_bytes(adopted_weight(path_, parts), tensors_[index]);
}

}  // namespace pqw
