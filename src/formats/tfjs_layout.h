// Layouts of weights in graph models of TensorFlow.js, by the operations that their names mention.
#pragma once

#include "pqw/core/tensor.h"

namespace pqw {

// "model/dense/MatMul/ReadVariableOp" is [in, out], ".../Conv2D/ReadVariableOp" and slim's
// ".../weights" of rank 4 [height, width, in, out], depthwise ones [height, width, channels,
// multiplier]. An empty layout for other names, such as those of Keras, which tell more.
Layout tfjs_layout(const TensorInfo& info);

}  // namespace pqw
