// The C API: models and their tensors.
#include <algorithm>
#include <memory>
#include <optional>
#include <span>

#include "c/arguments.h"
#include "c/handles.h"
#include "pqw/core/strided.h"

namespace {

using namespace pqw;
using namespace pqw::c;

// In the order of pqw_dtype.
static_assert(static_cast<int>(DType::kF16) == PQW_F16 && static_cast<int>(DType::kF64) == PQW_F64);
static_assert(static_cast<int>(DType::kF8E5M2) == PQW_F8_E5M2);
static_assert(static_cast<int>(DType::kI8) == PQW_I8 && static_cast<int>(DType::kU8) == PQW_U8);
static_assert(static_cast<int>(DType::kBool) == PQW_BOOL);

pqw_dtype dtype_of(DType dtype) {
  return is_basic(dtype) ? static_cast<pqw_dtype>(dtype) : PQW_OTHER_DTYPE;
}

const TensorInfo& tensor_of(const pqw_model* model, std::size_t index) {
  require(model, "model");
  const std::vector<TensorInfo>& tensors = model->model.tensors();
  if (index < tensors.size()) return tensors[index];
  throw invalid_argument("index is {}; the model has {} tensors", index, tensors.size());
}

Subject subject_of(const TensorInfo& info) { return tensor_subject(info.name); }

DType dtype_from(pqw_dtype dtype) {
  if (dtype >= PQW_F16 && dtype <= PQW_BOOL) return static_cast<DType>(dtype);
  throw invalid_argument("dtype {} is not a type of pqw_dtype", static_cast<int>(dtype));
}

// The bytes from the first element of the buffer to the end of the last one; empty beyond 63 bits.
std::optional<std::size_t> extent(const TensorInfo& info, const StridedBuffer& to) {
  if (to.strides.empty()) return checked_byte_count(info.shape, to.dtype);
  std::size_t bytes = size_in_bytes(to.dtype);
  for (std::size_t i = 0; i < info.shape.size(); ++i) {
    if (info.shape[i] == 0) return 0;
    std::size_t reach = 0;
    if (to.strides[i] < 0) {
      throw subject_of(info).error("stride {} of dimension {}, expected 0 or more", to.strides[i],
                                   i);
    }
    if (__builtin_mul_overflow(static_cast<std::size_t>(to.strides[i]), info.shape[i] - 1,
                               &reach) ||
        __builtin_add_overflow(bytes, reach, &bytes)) {
      return std::nullopt;
    }
  }
  return bytes;
}

void require_size(const TensorInfo& info, std::size_t found, std::optional<std::size_t> needed) {
  if (needed && found >= *needed) return;
  throw subject_of(info).error("out has {} bytes, shape {} needs {}", found, to_string(info.shape),
                               needed ? std::to_string(*needed) : "more than any memory has");
}

}  // namespace

pqw_status pqw_model_open(const char* path, uint32_t flags, pqw_model** model) {
  return guarded([&] {
    require(path, "path");
    require(model, "model");
    require_flags(flags, PQW_TRUSTED);
    *model = new pqw_model{Model(path, read_options(flags))};
  });
}

void pqw_model_close(pqw_model* model) { delete model; }

size_t pqw_model_count(const pqw_model* model) {
  return model == nullptr ? 0 : model->model.tensors().size();
}

pqw_status pqw_model_find(const pqw_model* model, const char* name, size_t* index) {
  return guarded([&] {
    require(model, "model");
    require(name, "name");
    require(index, "index");
    *index = model->model.index_of(name);
  });
}

pqw_status pqw_model_tensor(const pqw_model* model, size_t index, pqw_tensor* tensor) {
  return guarded([&] {
    const TensorInfo& info = tensor_of(model, index);
    require(tensor, "tensor");
    write_struct({0, info.name.c_str(), info.name.size(), dtype_of(info.dtype),
                  dtype_name(info).data(), info.shape.size(), info.shape.data(), byte_count(info)},
                 tensor, "PQW_TENSOR_INIT");
  });
}

pqw_status pqw_model_codec(const pqw_model* model, size_t index, const char** codec) {
  return guarded([&] {
    const TensorInfo& info = tensor_of(model, index);
    require(codec, "codec");
    std::string name = model->model.codec(info.name);
    const std::lock_guard lock(model->mutex);
    *codec = model->codecs.insert(std::move(name)).first->c_str();
  });
}

pqw_status pqw_model_read(const pqw_model* model, size_t index, void* out, size_t out_bytes) {
  return guarded([&] {
    const TensorInfo& info = tensor_of(model, index);
    const std::size_t n_bytes = byte_count(info);
    if (n_bytes > 0) require(out, "out");
    require_size(info, out_bytes, n_bytes);
    const std::vector<std::byte> bytes = model->model.read(info.name);
    std::ranges::copy(bytes, static_cast<std::byte*>(out));
  });
}

pqw_status pqw_model_decode(const pqw_model* model, size_t index, pqw_dtype dtype, void* out,
                            size_t out_bytes, const ptrdiff_t* strides) {
  return guarded([&] {
    const TensorInfo& info = tensor_of(model, index);
    if (byte_count(info) > 0) require(out, "out");
    StridedBuffer to{static_cast<std::byte*>(out), dtype_from(dtype), {}};
    if (strides != nullptr) to.strides = {strides, info.shape.size()};
    require_size(info, out_bytes, extent(info, to));
    model->model.decode_to(info.name, to);
  });
}
