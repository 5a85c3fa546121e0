// Estimates the cost of a product by each method, to choose the fastest.
#pragma once

#include "codecs/pq/product/batch_lookup_product.h"
#include "codecs/pq/product/decode_int8_product.h"
#include "kernels/table.h"

namespace pqw {

// A product of `batch` rows of x with n_rows rows of a weight.
struct ProductSize {
  std::size_t batch;
  std::size_t n_rows;
  std::size_t n_columns;
  std::size_t block_size;
  std::size_t n_centroids;
  CodeWidth width;
};

// Cycles of one thread, from the measured cycles of the kernels. The error is about a third. This
// is enough, because where the best method changes, both take nearly equal time. Each cost grows
// with every number of the size.
double lookup_cycles(const ProductSize& size, const kernels::LookupKernel& kernel,
                     const OutlierCentroids& outlier_centroids);
double batch_lookup_cycles(const ProductSize& size, const BatchLookupProduct& product);
// With tables of floats. row_kernel: for a row of x alone; null for large codes.
double float_lookup_cycles(const ProductSize& size, const kernels::ProductKernels& kernels,
                           const kernels::FloatLookupKernel* row_kernel);
double decode_cycles(const ProductSize& size, const kernels::ProductKernels& kernels);
double decode_bf16_cycles(const ProductSize& size, const kernels::ProductKernels& kernels);
double decode_int8_cycles(const ProductSize& size, const kernels::Int8Kernels& kernels);

// Whether rows of x, at most a vector of them, are faster one at a time than side by side.
bool is_faster_by_row(const ProductSize& size, const kernels::ProductKernels& kernels,
                      const kernels::FloatLookupKernel* row_kernel);

}  // namespace pqw
