// oneDNN's matrix products.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <dnnl.hpp>

#include "bench/lookup_contenders.h"

namespace pqw::bench {
namespace {

using dnnl::memory;
using Type = memory::data_type;

// A product for one batch size, with copies of the weights in the layout that it asks for.
class Product {
 public:
  // `weights` has the values in the type of the product, row-major [rows][cols].
  Product(const Problem& problem, std::size_t batch, Type x_type, Type w_type, const void* weights,
          const std::vector<float>& row_scales, std::size_t cold_bytes)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const auto b = static_cast<memory::dim>(batch);
    const auto rows = static_cast<memory::dim>(problem.weight.rows());
    const auto cols = static_cast<memory::dim>(problem.weight.cols());
    const memory::desc x({b, cols}, x_type, memory::format_tag::ab);
    const memory::desc w({cols, rows}, w_type, memory::format_tag::any);
    const memory::desc y({b, rows}, Type::f32, memory::format_tag::ab);
    dnnl::primitive_attr attributes;
    if (!row_scales.empty()) attributes.set_output_scales(1 << 1, row_scales);
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x, w, y), attributes,
                                                   engine_);
    primitive_ = dnnl::matmul(description);
    x_ = memory(x, engine_, nullptr);
    y_ = memory(y, engine_, nullptr);
    memory plain({{cols, rows}, w_type, memory::format_tag::ba}, engine_,
                 const_cast<void*>(weights));
    const memory::desc layout = description.weights_desc();
    for (std::size_t i = 0; i < copies_for(layout.get_size(), cold_bytes); ++i) {
      copies_.emplace_back(layout, engine_);
      if (i == 0) {
        dnnl::reorder(plain, copies_[0]).execute(stream_, plain, copies_[0]);
        stream_.wait();
      } else {
        std::memcpy(copies_[i].get_data_handle(), copies_[0].get_data_handle(), layout.get_size());
      }
    }
  }

  void multiply(std::size_t copy, const void* x, float* y) {
    x_.set_data_handle(const_cast<void*>(x));
    y_.set_data_handle(y);
    primitive_.execute(stream_, {{DNNL_ARG_SRC, x_},
                                 {DNNL_ARG_WEIGHTS, copies_[copy % copies_.size()]},
                                 {DNNL_ARG_DST, y_}});
    stream_.wait();
  }
  std::size_t n_bytes() const { return copies_[0].get_desc().get_size(); }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::matmul primitive_;
  memory x_, y_;
  std::vector<memory> copies_;
};

std::uint16_t to_bfloat16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// Integers of -127..127 times the returned scale.
float quantize(const float* values, std::size_t n, std::int8_t* out) {
  float largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(values[i]));
  const float factor = largest > 0 ? 127 / largest : 0;
  constexpr float kShift = 0x1.8p23f;
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = static_cast<std::int8_t>(static_cast<int>(values[i] * factor + kShift - kShift));
  }
  return largest / 127;
}

Contender float_contender(const Problem& problem, std::size_t batch, std::size_t cold_bytes) {
  auto product = std::make_shared<Product>(problem, batch, Type::f32, Type::f32,
                                           problem.dense.data(), std::vector<float>{}, cold_bytes);
  return {"onednn fp32", 1e-5, product->n_bytes(),
          [product](std::size_t copy, ConstMatrix x, MutableMatrix y) {
            product->multiply(copy, x.data(), y.data());
          }};
}

Contender bfloat_contender(const Problem& problem, std::size_t batch, std::size_t cold_bytes) {
  std::vector<std::uint16_t> weights(problem.dense.size());
  std::ranges::transform(problem.dense, weights.begin(), to_bfloat16);
  auto product = std::make_shared<Product>(problem, batch, Type::bf16, Type::bf16, weights.data(),
                                           std::vector<float>{}, cold_bytes);
  auto halves = std::make_shared<std::vector<std::uint16_t>>(batch * problem.weight.cols());
  return {"onednn bf16", 1e-2, product->n_bytes(),
          [=](std::size_t copy, ConstMatrix x, MutableMatrix y) {
            std::transform(x.data(), x.data() + halves->size(), halves->begin(), to_bfloat16);
            product->multiply(copy, halves->data(), y.data());
          }};
}

Contender int8_contender(const Problem& problem, std::size_t batch, std::size_t cold_bytes) {
  const std::size_t rows = problem.weight.rows(), cols = problem.weight.cols();
  std::vector<std::int8_t> weights(problem.dense.size());
  std::vector<float> scales(rows);
  for (std::size_t r = 0; r < rows; ++r) {
    scales[r] = quantize(problem.dense.data() + r * cols, cols, weights.data() + r * cols);
  }
  auto product = std::make_shared<Product>(problem, batch, Type::s8, Type::s8, weights.data(),
                                           scales, cold_bytes);
  auto integers = std::make_shared<std::vector<std::int8_t>>(batch * cols);
  return {"onednn int8", 3e-2, product->n_bytes(),
          [=](std::size_t copy, ConstMatrix x, MutableMatrix y) {
            std::vector<float> x_scales(x.rows());
            for (std::size_t b = 0; b < x.rows(); ++b) {
              x_scales[b] = quantize(x.row(b).data(), cols, integers->data() + b * cols);
            }
            product->multiply(copy, integers->data(), y.data());
            for (std::size_t b = 0; b < x.rows(); ++b) {
              for (float& value : y.row(b)) value *= x_scales[b];
            }
          }};
}

}  // namespace

std::vector<Contender> onednn_contenders(const Problem& problem, std::size_t batch,
                                         std::size_t cold_bytes) {
  std::vector<Contender> contenders;
  for (const auto make : {float_contender, bfloat_contender, int8_contender}) {
    try {
      contenders.push_back(make(problem, batch, cold_bytes));
    } catch (const dnnl::error&) {
      // No product of these types for this processor.
    }
  }
  return contenders;
}

}  // namespace pqw::bench
