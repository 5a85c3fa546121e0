// Tensorized weights: a matrix seen as a tensor of many modes and kept as its factors; the value
// type and decoding. Multiplication: product.h.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/codecs/weight_fwd.h"
#include "pqw/core/dtype.h"
#include "pqw/core/matrix_shape.h"
#include "pqw/core/matrix_view.h"
#include "pqw/core/record.h"
#include "pqw/core/tensor.h"

namespace pqw {

// Row r of the matrix has the digits (i_1, ..., i_n) in the mixed radix (out_1, ..., out_n), the
// last one running fastest; column c has the digits (j_1, ..., j_m) in (in_1, ..., in_m). So the
// matrix is a tensor of n + m modes.
enum class TensorForm {
  // Σ_r A_1[i_1][r] ... A_n[i_n][r] B_1[j_1][r] ... B_m[j_m][r] (canonical polyadic; Kolda and
  // Bader 2009, "Tensor decompositions and applications", section 3).
  kCp,
  // A core tensor times a matrix per mode (Tucker; as above, section 4).
  kTucker,
  // G_1[i_1] ... G_n[i_n] H_1[j_1] ... H_m[j_m], a product of matrices (tensor train; Oseledets
  // 2011, "Tensor-train decomposition", eq. 1.2).
  kTt,
  // G_1[i_1, j_1] ... G_n[i_n, j_n], n = m (TT-matrix, block-TT; Novikov et al. 2015,
  // "Tensorizing neural networks", eq. 3).
  kTtm,
};

// "cp", "tucker", "tt", "ttm", and back; empty for another text.
std::string_view to_string(TensorForm form);
std::optional<TensorForm> tensor_form_from_string(std::string_view text);

// The modes and ranks of a tensorized matrix. Its sides are padded with zeros to the products of
// their modes; what is padding is cut off when decoding.
struct TensorLayout {
  TensorForm form = TensorForm::kTt;
  Shape out_modes;           // of the rows of one layer
  Shape in_modes;            // of the columns; as many as out_modes for kTtm
  std::size_t n_layers = 1;  // above 1: that many matrices in one tensor, with a first mode of them

  // kCp: {R}; kTucker: one per mode; kTt, kTtm: one between each two neighbouring cores. Modes in
  // the order: layers if n_layers > 1, rows, columns.
  std::vector<std::size_t> ranks;

  bool operator==(const TensorLayout&) const = default;
};

// The factors of a layout, as matrices, in order. With the modes d_1 ... d_N:
//   kCp       per mode [d_k][R]
//   kTucker   per mode [d_k][r_k], then the core [r of layers and rows][r of columns]
//   kTt       per mode of layers and rows [r_(k-1) d_k][r_k], per mode of columns [r_(k-1)][d_k
//   r_k] kTtm      per pair [r_(k-1) out_k][in_k r_k]
// where r_0 = r_N = 1. Errors: kInvalidArgument for a layout that is none: a mode or rank of zero,
// a wrong number of ranks, unpaired modes or layers of kTtm, sizes that overflow.
std::vector<MatrixShape> factor_shapes(const TensorLayout& layout);

// The sum of their sizes.
std::size_t parameter_count(const TensorLayout& layout);

// How to multiply. The ways differ by rounding only.
enum class TensorForward {
  kCheaper,        // whichever needs fewer operations
  kFactorized,     // contracts the input with one factor after the other, never forming W
  kReconstructed,  // forms W, then multiplies
};

struct TensorizedWeight {
  static constexpr const char* kCodec = "tensorized";

  Shape shape;                // of the original tensor
  DType dtype = DType::kF32;  // of the original tensor
  TensorLayout layout;
  std::size_t layer = 0;  // which of the layout's n_layers this weight is

  // Of factor_shapes(layout), each in any representation. Layers of one tensor share them.
  std::shared_ptr<const std::vector<Weight>> factors;

  TensorForward forward = TensorForward::kCheaper;  // of its product; not stored
  std::string options;                              // how it was made, "key=value,key=value"
};

// All factors as they are stored. Layers of one tensor each count all of them.
std::size_t size_in_bits(const TensorizedWeight& weight);

// Those of the factors, divided by the layers that share them.
std::size_t parameter_count(const TensorizedWeight& weight);

// "form=tt,out=8x8x12,in=8x8x12,rank=8x17x17x17x12", then ",layer=1/3" of several, then
// ",factors=pq" where they are not plain.
std::string summary(const TensorizedWeight& weight);

// The functions below see [out, in, k...] as a matrix [out, in*k*...] (matrix_shape.h). Decoded
// elements beyond the range of float become the largest float.
void decode(const TensorizedWeight& weight, MutableMatrix out);
void decode_rows(const TensorizedWeight& weight, std::size_t first, MutableMatrix out);

// To and from the record of an archive: the section `layout` U64, and `factor0`, `factor1`, ... A
// plain factor is a section of its type and shape, any other factor is a part.
// from_record checks everything; errors: kCorrupt and kUnsupported, naming the tensor.
Record to_record(const TensorizedWeight& weight, const std::string& name);
TensorizedWeight tensorized_from_record(const Record& record);

// A layer without factors of its own: the section `shared_with` U8 names the tensor that has them.
Record to_record_sharing(const TensorizedWeight& weight, const std::string& name,
                         const std::string& owner);
std::optional<std::string> shared_with(const Record& record);  // that name; empty for other records
TensorizedWeight tensorized_from_record(const Record& record, const TensorizedWeight& owner);

}  // namespace pqw
