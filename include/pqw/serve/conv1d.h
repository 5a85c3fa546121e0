// One-dimensional convolution computed from the compressed weight.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "pqw/serve/convolution_shapes.h"

namespace pqw {

class Convolution;

// A Conv2d (conv2d.h) over images of height 1.
class Conv1d {
 public:
  // `weight` is [out, in/groups, k]; `bias` has `out` elements, or none.
  // Errors: kInvalidArgument when the shapes or options do not fit.
  explicit Conv1d(Weight weight, std::vector<float> bias = {}, const Conv1dOptions& options = {},
                  const ServeOptions& serve = {});

  // Errors: kInvalidArgument when the channels differ or the kernel does not fit in the sequence.
  SequenceShape output_shape(const SequenceShape& input) const;

  // y has the size of output_shape(shape). Errors: kInvalidArgument on other sizes.
  void forward(std::span<const float> x, const SequenceShape& shape, std::span<float> y) const;

  // How `forward` computes sequences of that shape, in a few words.
  std::string describe(const SequenceShape& shape) const;

 private:
  std::shared_ptr<const Convolution> convolution_;
};

}  // namespace pqw
