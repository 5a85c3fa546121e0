// Progress of a compression on stderr: a bar on a terminal, a line per compressed tensor otherwise.
#pragma once

#include <chrono>
#include <csignal>

#include "pqw/compress/compress.h"

namespace pqw::tool {

// Not 0 if finished tensors are kept, from which --resume can continue. Signal handlers read it.
extern volatile std::sig_atomic_t parts_are_kept;

class Progress : public CompressObserver {
 public:
  Progress();
  ~Progress() override;

  void on_start(std::size_t n_tensors, std::size_t n_weights) override;
  void on_search(std::size_t n, std::size_t m) override;
  void on_tensor(const TensorInfo& info) override;
  void on_iteration(const EmIteration& iteration) override;
  void on_tensor_done(const TensorReport& report) override;
  void on_kept(const std::string& folder) override;
  void on_not_kept(const std::string& why) override;

 private:
  double seconds() const;
  void draw(std::size_t iteration);
  void erase();

  bool terminal_;
  bool said_kept_ = false;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point drawn_;
  TensorInfo current_;
  std::size_t n_tensors_ = 0;
  std::size_t n_tensors_done_ = 0;
  std::size_t n_weights_ = 0;
  std::size_t n_weights_done_ = 0;
  std::size_t n_points_said_ = 0;
};

}  // namespace pqw::tool
