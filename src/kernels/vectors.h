// Vectors with the operators of the compiler, for loops that each instruction set compiles for
// itself. A float serves as a vector of one lane. Where an instruction set has fused
// multiply-adds, its files let the compiler use them (CMakeLists.txt).
#pragma once

#include <cstddef>
#include <cstring>

namespace pqw::kernels {
namespace {

using Floats4 __attribute__((vector_size(16))) = float;
using Floats8 __attribute__((vector_size(32))) = float;
using Floats16 __attribute__((vector_size(64))) = float;

template <class V>
constexpr std::size_t kLanesOf = sizeof(V) / sizeof(float);

// Addresses need no alignment.
template <class V>
inline V load(const void* from) {
  V values;
  std::memcpy(&values, from, sizeof(V));
  return values;
}

template <class V>
inline void store(const V& values, void* to) {
  std::memcpy(to, &values, sizeof(V));
}

}  // namespace
}  // namespace pqw::kernels
