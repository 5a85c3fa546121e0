// The kernels of each instruction set.
#pragma once

#include <span>
#include <string_view>

#include "kernels/contraction.h"
#include "kernels/int8_product.h"
#include "kernels/lookup.h"
#include "kernels/nearest.h"
#include "kernels/product.h"

namespace pqw::kernels {

struct Table {
  std::string_view name;  // "portable", "avx2", "avx512", "avx512vbmi"
  NearestFunction* nearest;
  const LookupKernels* lookup;
  const ProductKernels* product;
  Int8ProductFunction* int8_product;
  const ContractionKernels* contraction;
};

// The tables that this processor can run, the best one first; `portable` is always there.
std::span<const Table> available();

// The table of that name, or null if it does not exist or this processor cannot run it.
const Table* find(std::string_view name);

}  // namespace pqw::kernels
