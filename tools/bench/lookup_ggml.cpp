// ggml's products with weights in its block formats, by its own graphs: what llama.cpp runs.
//
// The libraries are loaded when this runs; the declarations below are those of ggml.h and
// ggml-cpu.h.
#include <dlfcn.h>

#include <filesystem>
#include <stdexcept>

#include "bench/lookup_contenders.h"

namespace pqw::bench {
namespace {

struct InitParams {
  std::size_t mem_size;
  void* mem_buffer;
  bool no_alloc;
};
struct Plan {
  std::size_t work_size;
  std::uint8_t* work_data;
  int n_threads;
  void* threadpool;
  bool (*abort_callback)(void*);
  void* abort_callback_data;
};
struct TypeTraits {  // its beginning
  const char* name;
  std::int64_t block_size;
  std::int64_t block_size_interleave;
  std::size_t type_size;
  bool is_quantized;
  void (*to_float)(const void* from, float* to, std::int64_t n);
};
constexpr int kF32 = 0;

class Library {
 public:
  explicit Library(const std::filesystem::path& file) {
    handle_ = ::dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (handle_ == nullptr) throw std::runtime_error(::dlerror());
  }
  template <class Function>
  Function* get(const char* name) const {
    void* symbol = ::dlsym(handle_, name);
    if (symbol == nullptr) throw std::runtime_error(::dlerror());
    return reinterpret_cast<Function*>(symbol);
  }

 private:
  void* handle_;
};

// The library for this processor that ggml itself would load: that of the highest score.
std::filesystem::path best_for_processor(const std::filesystem::path& folder) {
  std::filesystem::path best;
  int highest = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("libggml-cpu")) continue;
    const int score = Library(entry.path()).get<int()>("ggml_backend_score")();
    if (score <= highest) continue;
    highest = score;
    best = entry.path();
  }
  if (best.empty())
    throw std::runtime_error(folder.string() + ": no libggml-cpu for this processor");
  return best;
}

class Ggml {
 public:
  explicit Ggml(const std::filesystem::path& folder)
      : base(folder / "libggml-base.so"), cpu(best_for_processor(folder)) {
    cpu.get<void()>("ggml_cpu_init")();
  }
  const TypeTraits& traits(int type) const {
    return *base.get<const TypeTraits*(int)>("ggml_get_type_traits")(type);
  }

  Library base, cpu;
};

// A product for one batch size, with copies of the weights.
class Product {
 public:
  Product(const Ggml& ggml, const Problem& problem, int type, std::size_t batch,
          std::size_t cold_bytes)
      : ggml_(ggml), rows_(problem.weight.rows()), cols_(problem.weight.cols()) {
    const TypeTraits& traits = ggml.traits(type);
    n_bytes_ = rows_ * cols_ / static_cast<std::size_t>(traits.block_size) * traits.type_size;
    const std::size_t n_copies = copies_for(n_bytes_, cold_bytes);
    constexpr std::size_t kRoom = std::size_t{1} << 20;  // for tensors and graphs
    const std::size_t n_floats = batch * (rows_ * n_copies + cols_);
    void* context = ggml.base.get<void*(InitParams)>("ggml_init")(
        {n_copies * (n_bytes_ + kRoom) + n_floats * sizeof(float) + kRoom, nullptr, false});
    const auto make =
        ggml.base.get<void*(void*, int, std::int64_t, std::int64_t)>("ggml_new_tensor_2d");
    const auto data_of = ggml.base.get<void*(const void*)>("ggml_get_data");
    const auto columns = static_cast<std::int64_t>(cols_);
    void* x = make(context, kF32, columns, static_cast<std::int64_t>(batch));
    x_ = static_cast<float*>(data_of(x));
    for (std::size_t i = 0; i < n_copies; ++i) {
      void* w = make(context, type, columns, static_cast<std::int64_t>(rows_));
      ggml.base.get<std::size_t(int, const float*, void*, std::int64_t, std::int64_t, std::int64_t,
                                const float*)>("ggml_quantize_chunk")(
          type, problem.dense.data(), data_of(w), 0, static_cast<std::int64_t>(rows_), columns,
          nullptr);
      void* y = ggml.base.get<void*(void*, void*, void*)>("ggml_mul_mat")(context, w, x);
      void* graph = ggml.base.get<void*(void*)>("ggml_new_graph")(context);
      ggml.base.get<void(void*, void*)>("ggml_build_forward_expand")(graph, y);
      copies_.push_back({graph, static_cast<const float*>(data_of(y))});
      if (i == 0) {
        decoded_.resize(rows_ * cols_);
        traits.to_float(data_of(w), decoded_.data(), static_cast<std::int64_t>(decoded_.size()));
        const Plan plan = this->plan(graph);
        work_.resize(plan.work_size);
      }
    }
  }

  void multiply(std::size_t copy, ConstMatrix x, MutableMatrix y) {
    const Copy& used = copies_[copy % copies_.size()];
    std::copy_n(x.data(), x.rows() * cols_, x_);
    Plan plan = this->plan(used.graph);
    plan.work_data = work_.data();
    ggml_.cpu.get<int(void*, Plan*)>("ggml_graph_compute")(used.graph, &plan);
    std::copy_n(used.y, y.rows() * rows_, y.data());
  }
  std::size_t n_bytes() const { return n_bytes_; }
  const std::vector<float>& decoded() const { return decoded_; }

 private:
  struct Copy {
    void* graph;
    const float* y;
  };
  Plan plan(void* graph) const {
    return ggml_.cpu.get<Plan(const void*, int, void*)>("ggml_graph_plan")(graph, 1, nullptr);
  }

  const Ggml& ggml_;
  std::size_t rows_, cols_, n_bytes_;
  float* x_;
  std::vector<Copy> copies_;
  std::vector<float> decoded_;
  std::vector<std::uint8_t> work_;
};

}  // namespace

std::vector<Contender> ggml_contenders(const std::string& folder, const Problem& problem,
                                       std::size_t batch, std::size_t cold_bytes) {
  static const Ggml ggml(folder);
  std::vector<Contender> contenders;
  for (const auto& [name, type] : {std::pair{"ggml Q4_0", 2}, {"ggml Q2_K", 10}}) {
    if (problem.weight.cols() % static_cast<std::size_t>(ggml.traits(type).block_size) != 0)
      continue;
    const auto product = std::make_shared<Product>(ggml, problem, type, batch, cold_bytes);
    contenders.push_back({name, 3e-2, product->n_bytes(),
                          [product](std::size_t copy, ConstMatrix x, MutableMatrix y) {
                            product->multiply(copy, x, y);
                          },
                          product->decoded()});
  }
  return contenders;
}

}  // namespace pqw::bench
