// Tensors in tests that are not about layouts.
#pragma once

#include "pqw/core/tensor.h"

namespace pqw::test {

// Names tell kind and order of many tensors; tests that are not about them leave them out.
inline TensorInfo without_layout(TensorInfo info) {
  info.layout = {};
  return info;
}

}  // namespace pqw::test
