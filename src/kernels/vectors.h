// Vectors with the operators of the compiler, for loops that each instruction set compiles for
// itself. Where an instruction set has fused multiply-adds, its files may let the compiler use them
// (CMakeLists.txt).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pqw::kernels {
namespace {

using Floats4 __attribute__((vector_size(16))) = float;
using Floats8 __attribute__((vector_size(32))) = float;
using Floats16 __attribute__((vector_size(64))) = float;

// A float serves as a vector of one lane.
template <class V>
constexpr std::size_t kLanesOf = sizeof(V) / sizeof(float);

// A register of kSize bytes, seen as integers of several widths and as floats.
template <std::size_t kSize>
struct Vectors {
  static constexpr std::size_t kBytes = kSize;
  static constexpr std::size_t kLanes = kSize / 4;

  typedef std::uint8_t Bytes __attribute__((vector_size(kSize)));
  typedef std::int16_t Shorts __attribute__((vector_size(kSize)));
  typedef std::uint16_t Words __attribute__((vector_size(kSize)));
  typedef std::int32_t Integers __attribute__((vector_size(kSize)));
  typedef std::uint32_t Numbers __attribute__((vector_size(kSize)));
  typedef float Floats __attribute__((vector_size(kSize)));
  typedef std::int16_t LaneShorts __attribute__((vector_size(kSize / 2)));  // one a lane
};

// The same bits.
template <class To, class From>
inline To as(const From& values) {
  return reinterpret_cast<To>(values);
}

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
