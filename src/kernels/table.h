// The kernels of each instruction set.
#pragma once

#include <span>
#include <string_view>

#include "kernels/contraction.h"
#include "kernels/int8_decode.h"
#include "kernels/int8_product.h"
#include "kernels/int8_rows.h"
#include "kernels/lookup.h"
#include "kernels/nearest.h"
#include "kernels/product.h"

namespace pqw::kernels {

// Products of bytes. Cycles of one thread, for the choice of a method, are measured by scripts/bench
// kernels; a line is 16 rows and four columns of a weight, for `multiply` with one row of x.
struct Int8Kernels {
  Int8ProductFunction* multiply;
  Int8DecodeFunction* decode;
  const Int8RowKernels* rows;
  struct Cycles {
    float multiply_per_line;
    float decode_per_line;
  } cycles;
};

struct Table {
  std::string_view name;  // "portable"; "avx2", "avx512", "avx512vbmi"; "neon", "neondot"
  NearestFunction* nearest;
  const LookupKernels* lookup;
  const ProductKernels* product;
  Int8Kernels int8;
  const ContractionKernels* contraction;
};

// The tables that this processor can run, the best one first; `portable` is always there.
std::span<const Table> available();

// The table of that name, or null if it does not exist or this processor cannot run it.
const Table* find(std::string_view name);

}  // namespace pqw::kernels
