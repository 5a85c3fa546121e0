// Weight files of random values.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pqw/core/convert.h"
#include "pqw/formats/weight_file.h"
#include "tests/support/random_matrix.h"

namespace pqw::test {

// Independent normal values, other ones in each tensor. REQUIRES: tensors of float types.
inline void write_normal_weights(const std::string& path, const std::vector<TensorInfo>& tensors,
                                 unsigned seed = 1) {
  const auto writer = create_weights(path, tensors, {}, {.overwrite = true});
  for (const TensorInfo& info : tensors) {
    const auto values = normal_values(element_count(info.shape), seed++);
    std::vector<std::byte> bytes(byte_count(info));
    from_float(values, info.dtype, bytes);
    writer->add(bytes);
  }
  writer->commit();
}

}  // namespace pqw::test
