// The C API: layers that compute with a stored weight.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "c/arguments.h"
#include "c/handles.h"

struct pqw_linear {
  pqw::Linear layer;
};

struct pqw_embedding {
  pqw::Embedding layer;
};

struct pqw_conv {
  std::variant<pqw::Conv1d, pqw::Conv2d, pqw::Conv3d, pqw::ConvTranspose1d, pqw::ConvTranspose2d>
      layer;
};

namespace {

using namespace pqw;
using namespace pqw::c;

ServeOptions serve_options(const pqw_serve_options* from) {
  const auto options =
      read_struct<pqw_serve_options>(from, PQW_SERVE_OPTIONS_INIT, "PQW_SERVE_OPTIONS_INIT");
  ServeOptions serve;
  switch (options.precision) {
    case PQW_PRECISION_EXACT:
      serve.precision = Precision::kExact;
      break;
    case PQW_PRECISION_HIGH:
      serve.precision = Precision::kHigh;
      break;
    case PQW_PRECISION_FAST:
      serve.precision = Precision::kFast;
      break;
    default:
      throw invalid_argument("precision {} is not one of pqw_precision",
                             static_cast<int>(options.precision));
  }
  switch (options.memory) {
    case PQW_MEMORY_CODES:
      serve.memory = ServeMemory::kCodes;
      break;
    case PQW_MEMORY_FASTEST:
      serve.memory = ServeMemory::kFastest;
      break;
    default:
      throw invalid_argument("memory {} is not one of pqw_memory",
                             static_cast<int>(options.memory));
  }
  return serve;
}

// A matrix of the caller. The pointer may be NULL if there are no elements.
template <class T>
MatrixView<T> matrix(T* data, std::size_t rows, std::size_t cols, std::size_t stride,
                     const char* name) {
  if (rows > 0 && cols > 0) require(data, name);
  if (rows > 1 && stride < cols) {
    throw invalid_argument("{}_stride is {}, expected at least {}, the floats of a row", name,
                           stride, cols);
  }
  if (rows > 1 && rows > PTRDIFF_MAX / sizeof(T) / std::max<std::size_t>(1, stride)) {
    throw invalid_argument("{} has {} rows, {} floats apart: more than memory can hold", name, rows,
                           stride);
  }
  return {data, rows, cols, stride};
}

std::span<const std::int64_t> list(const int64_t* data, std::size_t n, const char* name) {
  if (n > 0) require(data, name);
  return {data, n};
}

// The entries of an option for N dimensions of the kernel.
template <std::size_t N>
auto sizes(const std::size_t (&values)[3]) {
  if constexpr (N == 1) {
    return values[0];
  } else {
    std::array<std::size_t, N> result;
    std::copy_n(values, N, result.begin());
    return result;
  }
}

template <class Options, std::size_t N>
Options plain_options(const pqw_conv_options& from) {
  return {.stride = sizes<N>(from.stride),
          .padding = sizes<N>(from.padding),
          .dilation = sizes<N>(from.dilation),
          .groups = from.groups};
}

template <class Options, std::size_t N>
Options transposed_options(const pqw_conv_options& from) {
  return {.stride = sizes<N>(from.stride),
          .padding = sizes<N>(from.padding),
          .output_padding = sizes<N>(from.output_padding),
          .dilation = sizes<N>(from.dilation),
          .groups = from.groups};
}

pqw_conv make_conv(const Model& model, const std::string& weight, const std::string& bias,
                   const pqw_conv_options& options, const ServeOptions& serve) {
  const Shape& shape = model.tensors()[model.index_of(weight)].shape;
  const std::size_t n_dims = shape.size() < 2 ? 0 : shape.size() - 2;
  if (options.transposed != 0) {
    if (n_dims == 1) {
      return {model.conv_transpose1d(
          weight, bias, transposed_options<ConvTranspose1dOptions, 1>(options), serve)};
    }
    if (n_dims == 2) {
      return {model.conv_transpose2d(
          weight, bias, transposed_options<ConvTranspose2dOptions, 2>(options), serve)};
    }
    throw tensor_subject(weight).error(
        "shape {} has rank {}, a transposed convolution needs 3 or 4", to_string(shape),
        shape.size());
  }
  switch (n_dims) {
    case 1:
      return {model.conv1d(weight, bias, plain_options<Conv1dOptions, 1>(options), serve)};
    case 2:
      return {model.conv2d(weight, bias, plain_options<Conv2dOptions, 2>(options), serve)};
    case 3:
      return {model.conv3d(weight, bias, plain_options<Conv3dOptions, 3>(options), serve)};
    default:
      throw tensor_subject(weight).error("shape {} has rank {}, a convolution needs 3 to 5",
                                         to_string(shape), shape.size());
  }
}

template <class Layer>
struct ShapeOf;
template <class Options, class Shape>
struct ShapeOf<Convolution<Options, Shape>> {
  using type = Shape;
};

// The shape structs of the library are arrays of sizes.
template <class Shape>
constexpr std::size_t kRank = sizeof(Shape) / sizeof(std::size_t);

template <class Shape>
Shape shape_from(const std::size_t* sizes) {
  std::array<std::size_t, kRank<Shape>> values;
  std::copy_n(sizes, values.size(), values.begin());
  return std::bit_cast<Shape>(values);
}

template <class Layer>
constexpr std::size_t rank_of(const Layer&) {
  return kRank<typename ShapeOf<Layer>::type>;
}

template <class Layer>
auto input_shape(const Layer&, const std::size_t* sizes) {
  return shape_from<typename ShapeOf<Layer>::type>(sizes);
}

std::size_t count_of(std::span<const std::size_t> shape, const char* name) {
  if (const auto count = checked_element_count(shape)) return *count;
  throw invalid_argument("{} {} has more elements than any memory", name, to_string(shape));
}

std::string name_or_none(const char* name) { return name == nullptr ? "" : name; }

}  // namespace

pqw_status pqw_linear_create(const pqw_model* model, const char* weight, const char* bias,
                             const pqw_serve_options* options, pqw_linear** linear) {
  return guarded([&] {
    require(model, "model");
    require(weight, "weight");
    require(linear, "linear");
    *linear =
        new pqw_linear{model->model.linear(weight, name_or_none(bias), serve_options(options))};
  });
}

void pqw_linear_destroy(pqw_linear* linear) { delete linear; }

size_t pqw_linear_in_features(const pqw_linear* linear) {
  return linear == nullptr ? 0 : linear->layer.in_features();
}

size_t pqw_linear_out_features(const pqw_linear* linear) {
  return linear == nullptr ? 0 : linear->layer.out_features();
}

pqw_status pqw_linear_forward(const pqw_linear* linear, size_t batch, const float* x,
                              size_t x_stride, float* y, size_t y_stride) {
  return guarded([&] {
    require(linear, "linear");
    const Linear& layer = linear->layer;
    const ConstMatrix inputs = matrix(x, batch, layer.in_features(), x_stride, "x");
    layer.forward(inputs, matrix(y, batch, layer.out_features(), y_stride, "y"));
  });
}

pqw_status pqw_conv_create(const pqw_model* model, const char* weight, const char* bias,
                           const pqw_conv_options* conv_options, const pqw_serve_options* options,
                           pqw_conv** conv) {
  return guarded([&] {
    require(model, "model");
    require(weight, "weight");
    require(conv, "conv");
    const auto layer_options =
        read_struct<pqw_conv_options>(conv_options, PQW_CONV_OPTIONS_INIT, "PQW_CONV_OPTIONS_INIT");
    *conv = new pqw_conv(
        make_conv(model->model, weight, name_or_none(bias), layer_options, serve_options(options)));
  });
}

void pqw_conv_destroy(pqw_conv* conv) { delete conv; }

size_t pqw_conv_rank(const pqw_conv* conv) {
  if (conv == nullptr) return 0;
  return std::visit([](const auto& layer) { return rank_of(layer); }, conv->layer);
}

pqw_status pqw_conv_output_shape(const pqw_conv* conv, const size_t* x_shape, size_t* y_shape) {
  return guarded([&] {
    require(conv, "conv");
    require(x_shape, "x_shape");
    require(y_shape, "y_shape");
    std::visit(
        [&](const auto& layer) {
          const auto shape = layer.output_shape(input_shape(layer, x_shape));
          std::memcpy(y_shape, &shape, sizeof(shape));
        },
        conv->layer);
  });
}

pqw_status pqw_conv_forward(const pqw_conv* conv, const size_t* x_shape, const float* x, float* y,
                            size_t y_count) {
  return guarded([&] {
    require(conv, "conv");
    require(x_shape, "x_shape");
    const std::size_t x_count = count_of({x_shape, pqw_conv_rank(conv)}, "x_shape");
    if (x_count > 0) require(x, "x");
    if (y_count > 0) require(y, "y");
    std::visit(
        [&](const auto& layer) {
          layer.forward({x, x_count}, input_shape(layer, x_shape), {y, y_count});
        },
        conv->layer);
  });
}

pqw_status pqw_embedding_create(const pqw_model* model, const char* weight,
                                pqw_embedding** embedding) {
  return guarded([&] {
    require(model, "model");
    require(weight, "weight");
    require(embedding, "embedding");
    *embedding = new pqw_embedding{model->model.embedding(weight)};
  });
}

void pqw_embedding_destroy(pqw_embedding* embedding) { delete embedding; }

size_t pqw_embedding_count(const pqw_embedding* embedding) {
  return embedding == nullptr ? 0 : embedding->layer.num_embeddings();
}

size_t pqw_embedding_dim(const pqw_embedding* embedding) {
  return embedding == nullptr ? 0 : embedding->layer.dim();
}

pqw_status pqw_embedding_forward(const pqw_embedding* embedding, const int64_t* indices,
                                 size_t n_indices, float* out, size_t out_stride) {
  return guarded([&] {
    require(embedding, "embedding");
    const Embedding& layer = embedding->layer;
    layer.forward(list(indices, n_indices, "indices"),
                  matrix(out, n_indices, layer.dim(), out_stride, "out"));
  });
}

pqw_status pqw_embedding_forward_bags(const pqw_embedding* embedding, const int64_t* indices,
                                      size_t n_indices, const int64_t* offsets, size_t n_bags,
                                      pqw_bag_mode mode, float* out, size_t out_stride) {
  return guarded([&] {
    require(embedding, "embedding");
    if (mode != PQW_BAG_SUM && mode != PQW_BAG_MEAN) {
      throw invalid_argument("mode {} is not one of pqw_bag_mode", static_cast<int>(mode));
    }
    const Embedding& layer = embedding->layer;
    layer.forward_bags(list(indices, n_indices, "indices"), list(offsets, n_bags, "offsets"),
                       mode == PQW_BAG_SUM ? BagMode::kSum : BagMode::kMean,
                       matrix(out, n_bags, layer.dim(), out_stride, "out"));
  });
}
