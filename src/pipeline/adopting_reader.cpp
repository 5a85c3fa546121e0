// A file whose int8 weights appear as the floats that they stand for.
#include "pipeline/adopting_reader.h"

#include <algorithm>
#include <cstring>

#include "core/subject.h"
#include "model/archive_tensors.h"
#include "pqw/core/convert.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

DType decoded_dtype(DType scale) {
  return scale == DType::kF16 || scale == DType::kBF16 ? scale : DType::kF32;
}

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

AdoptingReader::AdoptingReader(const std::string& path, std::unique_ptr<WeightReader> file,
                               std::vector<Int8Reference> references)
    : path_(path), file_(std::move(file)), references_(std::move(references)) {
  const std::vector<TensorInfo>& infos = file_->tensors();
  std::vector<bool> hidden(infos.size());
  for (const Int8Reference& reference : references_) {
    hidden[reference.scale] = true;
    if (reference.zero_point) hidden[*reference.zero_point] = true;
  }
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (hidden[i]) continue;
    origins_.push_back(i);
    tensors_.push_back(infos[i]);
    const Int8Reference* reference = reference_at(tensors_.size() - 1);
    if (reference != nullptr) tensors_.back().dtype = decoded_dtype(infos[reference->scale].dtype);
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
  const auto weight = adopted(index);
  if (!weight) return file_->read(origins_[index]);
  const TensorInfo& info = tensors_[index];
  std::vector<std::byte> bytes(byte_count(info));
  decode_rows_to(*weight, info.dtype, 0, info.shape[0], bytes);
  return bytes;
}

std::optional<Int8Weight> AdoptingReader::adopted(std::size_t index) const {
  const Int8Reference* reference = reference_at(index);
  if (reference == nullptr) return std::nullopt;
  const TensorInfo& info = tensors_[index];
  const std::vector<TensorInfo>& infos = file_->tensors();
  try {
    std::vector<std::int8_t> values(element_count(info.shape));
    std::memcpy(values.data(), file_->read(reference->values).data(), values.size());
    std::vector<float> scales(element_count(infos[reference->scale].shape));
    to_float(file_->read(reference->scale), infos[reference->scale].dtype, scales);
    std::vector<std::int8_t> zeros;
    if (reference->zero_point) {
      zeros = zero_points(infos[*reference->zero_point].dtype, file_->read(*reference->zero_point));
    }
    return int8_from_reference(info.shape, std::move(values), std::move(scales), std::move(zeros),
                               info.dtype);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    throw Subject{path_}
        .in("tensor", info.name)
        .in("scales", infos[reference->scale].name)
        .error(error.code(), "{}", error.what());
  }
}

}  // namespace pqw
