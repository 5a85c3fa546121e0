// The contenders of our own process: `pqw` and FAISS.
#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <sys/resource.h>

#include <chrono>
#include <stdexcept>
#include <utility>

#include "bench/em.h"
#include "pqw/codecs/encode.h"

namespace pqw::bench {
namespace {

struct Answer {
  std::vector<float> codebook;
  std::vector<std::uint16_t> codes;
};

struct Times {
  double cpu_s = 0;
  double wall_s = 0;
};

Times now() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  const auto wall = std::chrono::steady_clock::now().time_since_epoch();
  return {seconds(usage.ru_utime) + seconds(usage.ru_stime),
          std::chrono::duration<double>(wall).count()};
}

// The defaults of the library, but for the early end and the gain: sums of squares are compared.
Answer train_pqw(const Job& job, const Blocks& blocks) {
  PqOptions options;
  options.block_size = job.block_size;
  options.n_centroids = job.n_centroids;
  options.iterations = job.iterations;
  options.seed = job.seed;
  options.tolerance = 0;
  options.gain = Gain::kLeastSquares;
  if (job.contender == "pqw-all") options.explore = 0;
  PqCodec::resolve(options, blocks.shape);
  PqWeight weight = PqCodec::encode(prepare_blocks(blocks, options), options, {});
  return {std::move(weight.codebooks), std::move(weight.codes)};
}

// All blocks, where FAISS by itself would take 256 a centroid.
Answer train_faiss(const Job& job, const Blocks& blocks) {
  const auto n_blocks = static_cast<faiss::Index::idx_t>(blocks.count());
  const auto d = static_cast<int>(job.block_size);
  faiss::ClusteringParameters parameters;
  parameters.niter = static_cast<int>(job.iterations);
  parameters.seed = static_cast<int>(job.seed) + 1;
  parameters.min_points_per_centroid = 1;
  parameters.max_points_per_centroid = static_cast<int>(n_blocks);
  faiss::Clustering clustering(d, static_cast<int>(job.n_centroids), parameters);
  faiss::IndexFlatL2 index(d);
  clustering.train(n_blocks, blocks.values.data(), index);
  index.reset();
  index.add(static_cast<faiss::Index::idx_t>(job.n_centroids), clustering.centroids.data());
  std::vector<faiss::Index::idx_t> labels(blocks.count());
  index.assign(n_blocks, blocks.values.data(), labels.data());
  return {std::move(clustering.centroids),
          std::vector<std::uint16_t>(labels.begin(), labels.end())};
}

}  // namespace

void train(const Job& job) {
  Blocks blocks;
  blocks.values = read_raw<float>(job.blocks_path);
  blocks.block_size = job.block_size;
  blocks.shape = {blocks.count(), job.block_size};
  const bool ours = job.contender == "pqw" || job.contender == "pqw-all";
  if (!ours && job.contender != "faiss") {
    throw std::invalid_argument("no contender " + job.contender);
  }
  const Times start = now();
  const Answer answer = ours ? train_pqw(job, blocks) : train_faiss(job, blocks);
  const Times end = now();
  const nlohmann::json times = {{"cpu_s", end.cpu_s - start.cpu_s},
                                {"wall_s", end.wall_s - start.wall_s}};
  const std::string text = times.dump();
  write_raw(job.answer_path + ".codebook", answer.codebook.data(), answer.codebook.size() * 4);
  write_raw(job.answer_path + ".codes", answer.codes.data(), answer.codes.size() * 2);
  write_raw(job.answer_path + ".json", text.data(), text.size());
}

}  // namespace pqw::bench
