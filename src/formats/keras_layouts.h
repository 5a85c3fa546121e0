// Layouts of the weights in files of Keras, by the classes of their layers.
#pragma once

#include <span>
#include <string>

#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// Whether names of tensors, or a text of the root group (its name is a key of the metadata), are
// those of Keras 2 (weights and models in .h5) or Keras 3 (.weights.h5, and the same in .keras).
bool is_keras(std::span<const TensorInfo> tensors, const Metadata& metadata);

// Sets the layouts of a Keras file. Dense is [in, out], convolutions [kernel..., in, out],
// transposed ones [kernel..., out, in], depthwise ones [kernel..., in, multiplier], recurrent
// kernels [in, gates * units]; the equation of EinsumDense tells its inputs. The class of a layer
// follows from `config`, the JSON of the model (model_config in .h5, config.json in .keras,
// modelTopology in model.json; may be empty). Otherwise it follows from the name of the layer,
// which is the class by default: conv2d_1. Optimizer state is kOther. Tensors of layers whose class
// is not known get no layout. Returns whether `config` is JSON.
bool set_keras_layouts(WeightReader& reader, const std::string& config);

}  // namespace pqw
