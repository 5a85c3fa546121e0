// A network's weights in one file, to be served or decoded by name.
#include "pqw/model/model.h"

#include <algorithm>
#include <utility>

#include "core/permute.h"
#include "core/subject.h"
#include "model/archive_tensors.h"
#include "pqw/core/convert.h"

namespace pqw {

struct Model::Impl {
  std::string path;
  std::unique_ptr<WeightReader> reader;
  const ArchiveReader* archive = nullptr;  // of the reader; null for a weight file

  Subject subject(const std::string& name) const {
    return Subject{path, ErrorCode::kInvalidArgument}.in("tensor", name);
  }

  // The compressed tensor; empty for one whose values are stored.
  std::optional<Weight> compressed(std::size_t index) const {
    if (archive == nullptr) return std::nullopt;
    const std::size_t stored = stored_index(*archive, index);
    if (has_values(*archive, stored)) return std::nullopt;
    return read_compressed(*archive, stored);
  }
};

namespace {

// make(weight, bias), whose errors get the names of the file and the tensors.
template <class Make>
auto make_layer(const Model& model, const Subject& subject, const std::string& weight,
                const std::string& bias, const Make& make) {
  Weight loaded = model.weight(weight);
  std::vector<float> bias_values;
  if (!bias.empty()) bias_values = model.decode(bias);
  try {
    return make(std::move(loaded), std::move(bias_values));
  } catch (const Error& error) {
    const Subject layer = bias.empty() ? subject : subject.in("bias", bias);
    throw layer.error(error.code(), "{}", error.what());
  }
}

}  // namespace

Model::Model(const std::string& path, const ReadOptions& options)
    : impl_(std::make_unique<Impl>(Impl{path, open_decoded(path, options)})) {
  if (const auto* decoded = dynamic_cast<const DecodedArchive*>(impl_->reader.get())) {
    impl_->archive = &decoded->archive();
  }
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

const std::vector<TensorInfo>& Model::tensors() const { return impl_->reader->tensors(); }

std::optional<std::size_t> Model::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors(), name, &TensorInfo::name);
  if (found == tensors().end()) return std::nullopt;
  return static_cast<std::size_t>(found - tensors().begin());
}

std::size_t Model::index_of(std::string_view name) const {
  if (const auto index = find(name)) return *index;
  throw Subject{impl_->path}.error(ErrorCode::kNotFound, "no tensor is named '{}'", shown(name));
}

std::string Model::codec(const std::string& name) const {
  const std::size_t index = index_of(name);
  if (impl_->archive == nullptr) return PlainCodec::kName;
  const std::size_t stored = stored_index(*impl_->archive, index);
  return has_values(*impl_->archive, stored) ? PlainCodec::kName
                                             : impl_->archive->entries()[stored].codec;
}

std::uint64_t Model::stored_bytes(const std::string& name) const {
  const std::size_t index = index_of(name);
  return impl_->archive == nullptr ? byte_count(tensors()[index])
                                   : impl_->archive->entries()[index].data_bytes;
}

const Metadata& Model::metadata() const { return impl_->reader->metadata(); }

std::vector<float> Model::decode(const std::string& name) const {
  const std::size_t index = index_of(name);
  const TensorInfo& info = tensors()[index];
  if (!is_compressible(info.dtype)) {
    throw impl_->subject(name).error("type {} is not a float type", dtype_name(info));
  }
  std::vector<float> values(element_count(info.shape));
  if (const auto weight = impl_->compressed(index)) {
    const MatrixShape matrix = head_of(*weight).matrix();
    decode_rows(*weight, 0, {values.data(), matrix.rows, matrix.cols});
    if (!info.layout.axes.empty()) {
      const std::vector<float> canonical = values;
      permute(std::as_bytes(std::span(canonical)), head_of(*weight).shape,
              inverse_axes(info.layout.axes), std::as_writable_bytes(std::span(values)));
    }
  } else {
    to_float(impl_->reader->read(index), info.dtype, values);
  }
  return values;
}

void Model::decode_to(const std::string& name, const StridedBuffer& to) const {
  const std::size_t index = index_of(name);
  const TensorInfo& info = tensors()[index];
  try {
    require_fits(info.dtype, info.shape, to);
  } catch (const Error& error) {
    throw impl_->subject(name).error(error.code(), "{}", error.what());
  }
  if (const auto weight = impl_->compressed(index)) {
    decode_to_strided(*weight, info, to);
  } else {
    copy_to_strided(impl_->reader->read(index), info.dtype, info.shape, to);
  }
}

std::vector<std::byte> Model::read(const std::string& name) const {
  return impl_->reader->read(index_of(name));
}

Weight Model::weight(const std::string& name) const {
  const std::size_t index = index_of(name);
  if (auto weight = impl_->compressed(index)) return *std::move(weight);
  const TensorInfo& info = tensors()[index];
  if (!is_basic(info.dtype)) {
    throw impl_->subject(name).error("type {} is not supported in computations", dtype_name(info));
  }
  return PlainWeight{{canonical(info).shape, info.dtype},
                     to_canonical(info, impl_->reader->read(index))};
}

Linear Model::linear(const std::string& weight, const std::string& bias,
                     const ServeOptions& serve) const {
  return make_layer(*this, impl_->subject(weight), weight, bias, [&](Weight&& w, auto&& b) {
    return Linear(std::move(w), std::move(b), serve);
  });
}

Conv1d Model::conv1d(const std::string& weight, const std::string& bias,
                     const Conv1dOptions& options, const ServeOptions& serve) const {
  return make_layer(*this, impl_->subject(weight), weight, bias, [&](Weight&& w, auto&& b) {
    return Conv1d(std::move(w), std::move(b), options, serve);
  });
}

Conv2d Model::conv2d(const std::string& weight, const std::string& bias,
                     const Conv2dOptions& options, const ServeOptions& serve) const {
  return make_layer(*this, impl_->subject(weight), weight, bias, [&](Weight&& w, auto&& b) {
    return Conv2d(std::move(w), std::move(b), options, serve);
  });
}

Conv3d Model::conv3d(const std::string& weight, const std::string& bias,
                     const Conv3dOptions& options, const ServeOptions& serve) const {
  return make_layer(*this, impl_->subject(weight), weight, bias, [&](Weight&& w, auto&& b) {
    return Conv3d(std::move(w), std::move(b), options, serve);
  });
}

ConvTranspose1d Model::conv_transpose1d(const std::string& weight, const std::string& bias,
                                        const ConvTranspose1dOptions& options,
                                        const ServeOptions& serve) const {
  return make_layer(*this, impl_->subject(weight), weight, bias, [&](Weight&& w, auto&& b) {
    return ConvTranspose1d(std::move(w), std::move(b), options, serve);
  });
}

ConvTranspose2d Model::conv_transpose2d(const std::string& weight, const std::string& bias,
                                        const ConvTranspose2dOptions& options,
                                        const ServeOptions& serve) const {
  return make_layer(*this, impl_->subject(weight), weight, bias, [&](Weight&& w, auto&& b) {
    return ConvTranspose2d(std::move(w), std::move(b), options, serve);
  });
}

Embedding Model::embedding(const std::string& weight) const {
  return make_layer(*this, impl_->subject(weight), weight, "",
                    [](Weight&& w, auto&&) { return Embedding(std::move(w)); });
}

}  // namespace pqw
