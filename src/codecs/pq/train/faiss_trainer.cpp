// Training of one codebook: the k-means of FAISS, an independent second opinion.
#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <faiss/utils/distances.h>

#include <limits>
#include <mutex>

#include "codecs/pq/train/em.h"
#include "codecs/pq/train/faiss_symbols.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

// Below this number of queries FAISS computes distances directly. Its BLAS path expands
// ‖x-c‖² = ‖x‖² + ‖c‖² - 2xc, which cancels for data far from the origin, and BLAS threads spin
// against OpenMP's. The setting is global, hence the lock and the restoring.
class DirectDistances {
 public:
  DirectDistances() : lock_(mutex()), previous_(faiss::distance_compute_blas_threshold) {
    faiss::distance_compute_blas_threshold = std::numeric_limits<int>::max();
  }
  ~DirectDistances() { faiss::distance_compute_blas_threshold = previous_; }
  DirectDistances(const DirectDistances&) = delete;
  DirectDistances& operator=(const DirectDistances&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  std::lock_guard<std::mutex> lock_;
  int previous_;
};

}  // namespace

std::vector<float> train_with_faiss(BlockSpan blocks, const PqOptions& options,
                                    const OnIteration& on_iteration) {
  link_faiss_symbols();
  constexpr std::size_t kMaxInt = std::numeric_limits<int>::max();
  if (blocks.count() > kMaxInt) {
    throw Error(ErrorCode::kUnsupported, "the faiss engine takes 2^31 blocks at most");
  }
  faiss::ClusteringParameters parameters;
  parameters.niter = static_cast<int>(options.iterations);
  parameters.seed = static_cast<int>(options.seed % kMaxInt);
  parameters.min_points_per_centroid = 1;
  parameters.max_points_per_centroid = static_cast<int>(blocks.count());  // no subsampling
  const auto d = static_cast<int>(blocks.d);
  faiss::Clustering clustering(d, static_cast<int>(options.n_centroids), parameters);
  faiss::IndexFlatL2 index(d);
  try {
    const DirectDistances scope;
    clustering.train(static_cast<faiss::Index::idx_t>(blocks.count()), blocks.values.data(), index);
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kUnsupported, std::string("the faiss engine failed: ") + error.what());
  }
  for (std::size_t i = 0; i < clustering.iteration_stats.size(); ++i) {
    const faiss::ClusteringIterationStats& stats = clustering.iteration_stats[i];
    on_iteration({0, 0, i, blocks.count(), static_cast<double>(stats.obj),
                  static_cast<std::size_t>(stats.nsplit)});
  }
  return std::move(clustering.centroids);
}

}  // namespace pqw
