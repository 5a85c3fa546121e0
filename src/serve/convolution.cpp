// The layers of one, two and three dimensions, as a convolution of three.
#include "pqw/serve/convolution.h"

#include "serve/convolution_layer.h"

namespace pqw {
namespace {

Size3d padded(std::size_t width, std::size_t missing) { return {missing, missing, width}; }
Size3d padded(const Size2d& size, std::size_t missing) { return {missing, size[0], size[1]}; }
Size3d padded(const Size3d& size, std::size_t) { return size; }

template <class Options>
ConvolutionOptions convolution_options(const char* layer, std::size_t n_axes,
                                       const Options& options) {
  return {layer,
          n_axes,
          padded(options.stride, 1),
          padded(options.padding, 0),
          padded(options.dilation, 1),
          options.groups};
}

ConvolutionOptions layer_options(const Conv1dOptions& options) {
  return convolution_options("Conv1d", 1, options);
}
ConvolutionOptions layer_options(const Conv2dOptions& options) {
  return convolution_options("Conv2d", 2, options);
}
ConvolutionOptions layer_options(const Conv3dOptions& options) {
  return convolution_options("Conv3d", 3, options);
}

template <class Options>
ConvolutionOptions transposed_options(const char* layer, std::size_t n_axes,
                                      const Options& options) {
  ConvolutionOptions result = convolution_options(layer, n_axes, options);
  result.transposed = true;
  result.output_padding = padded(options.output_padding, 0);
  return result;
}

ConvolutionOptions layer_options(const ConvTranspose1dOptions& options) {
  return transposed_options("ConvTranspose1d", 1, options);
}
ConvolutionOptions layer_options(const ConvTranspose2dOptions& options) {
  return transposed_options("ConvTranspose2d", 2, options);
}

VolumeShape volume(const SequenceShape& s) { return {s.batch, s.channels, 1, 1, s.length}; }
VolumeShape volume(const ImageShape& s) { return {s.batch, s.channels, 1, s.height, s.width}; }
VolumeShape volume(const VolumeShape& s) { return s; }

void from_volume(const VolumeShape& v, SequenceShape& s) { s = {v.batch, v.channels, v.width}; }
void from_volume(const VolumeShape& v, ImageShape& s) {
  s = {v.batch, v.channels, v.height, v.width};
}
void from_volume(const VolumeShape& v, VolumeShape& s) { s = v; }

}  // namespace

template <class Options, class InputShape>
Convolution<Options, InputShape>::Convolution(Weight weight, std::vector<float> bias,
                                              const Options& options, const ServeOptions& serve)
    : layer_(std::make_shared<const ConvolutionLayer>(layer_options(options), std::move(weight),
                                                      std::move(bias), serve)) {}

template <class Options, class InputShape>
InputShape Convolution<Options, InputShape>::output_shape(const InputShape& input) const {
  InputShape output;
  from_volume(layer_->output_shape(volume(input)), output);
  return output;
}

template <class Options, class InputShape>
void Convolution<Options, InputShape>::forward(std::span<const float> x, const InputShape& shape,
                                               std::span<float> y) const {
  layer_->forward(x, volume(shape), y);
}

template <class Options, class InputShape>
std::string Convolution<Options, InputShape>::describe(const InputShape& shape) const {
  return layer_->describe(volume(shape));
}

template class Convolution<Conv1dOptions, SequenceShape>;
template class Convolution<Conv2dOptions, ImageShape>;
template class Convolution<Conv3dOptions, VolumeShape>;
template class Convolution<ConvTranspose1dOptions, SequenceShape>;
template class Convolution<ConvTranspose2dOptions, ImageShape>;

}  // namespace pqw
