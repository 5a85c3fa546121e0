// Learns additive codebooks: a block is the sum of one centroid of each codebook.
#include "codecs/pq/train/additive.h"

#include <algorithm>
#include <array>
#include <limits>

#include "codecs/pq/train/assign.h"
#include "codecs/pq/train/gain.h"
#include "codecs/pq/train/update.h"
#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kBlocksPerRange = 256;

// The tables of a search: scores are ‖Σ_m c_m‖² - 2 x · Σ_m c_m, sums of table entries.
class Tables {
 public:
  Tables(std::span<const float> codebooks, std::size_t n_books, std::size_t d)
      : n_books_(n_books), k_(codebooks.size() / n_books / d), d_(d) {
    const std::size_t n = n_books * k_;
    transposed_.resize(n * d);
    squares_.resize(n);
    twice_dots_.resize(n * n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < d; ++j) {
        const float value = codebooks[i * d + j];
        transposed_[(i / k_ * d + j) * k_ + i % k_] = value;
        squares_[i] += value * value;
      }
    }
    Workers(n * n, static_cast<double>(d)).for_each(n, [&](std::size_t i) {
      for (std::size_t other = 0; other < n; ++other) {
        float dot = 0;
        for (std::size_t j = 0; j < d; ++j) dot += codebooks[i * d + j] * codebooks[other * d + j];
        twice_dots_[i * n + other] = 2 * dot;
      }
    });
  }

  std::size_t n_books() const { return n_books_; }
  std::size_t k() const { return k_; }

  // ‖c‖² - 2 x · c of all centroids c: float[n_books][K].
  void score(const float* x, std::span<float> scores) const {
    std::ranges::copy(squares_, scores.begin());
    for (std::size_t book = 0; book < n_books_; ++book) {
      float* to = scores.data() + book * k_;
      for (std::size_t j = 0; j < d_; ++j) {
        const float factor = -2 * x[j];
        const float* row = transposed_.data() + (book * d_ + j) * k_;
        for (std::size_t k = 0; k < k_; ++k) to[k] += factor * row[k];
      }
    }
  }

  // 2 c · c' of a centroid c of one book and all centroids c' of another: float[K].
  const float* twice_dots(std::size_t book, std::size_t code, std::size_t other) const {
    return twice_dots_.data() + (book * k_ + code) * n_books_ * k_ + other * k_;
  }

 private:
  std::size_t n_books_, k_, d_;
  std::vector<float> transposed_;  // [book][d][K]
  std::vector<float> squares_;     // [book][K]
  std::vector<float> twice_dots_;  // [book][K][book][K]
};

// Codes in the first codebooks, and their score.
struct Path {
  float score;
  std::array<std::uint16_t, kMostAdditive> codes;
};

// Searches the codes of one block after the other.
class BeamSearch {
 public:
  BeamSearch(const Tables& tables, std::size_t width)
      : tables_(tables),
        width_(width),
        scores_(tables.n_books() * tables.k()),
        extended_(tables.k()) {}

  // The best path found for x.
  Path operator()(const float* x) {
    tables_.score(x, scores_);
    paths_.assign(1, Path{0, {}});
    for (std::size_t book = 0; book < tables_.n_books(); ++book) extend(book);
    return paths_.front();
  }

  // The score of given codes for the x of the last search.
  float score_of(const Path& path) const {
    float score = 0;
    for (std::size_t book = 0; book < tables_.n_books(); ++book) {
      score += scores_[book * tables_.k() + path.codes[book]];
      for (std::size_t before = 0; before < book; ++before) {
        score += tables_.twice_dots(before, path.codes[before], book)[path.codes[book]];
      }
    }
    return score;
  }

 private:
  // Keeps the best paths that are one book longer, sorted by their scores.
  void extend(std::size_t book) {
    const std::size_t width = book + 1 == tables_.n_books() ? 1 : width_;
    longer_.clear();
    for (const Path& path : paths_) {
      const float* own = scores_.data() + book * tables_.k();
      for (std::size_t k = 0; k < tables_.k(); ++k) extended_[k] = path.score + own[k];
      for (std::size_t before = 0; before < book; ++before) {
        const float* dots = tables_.twice_dots(before, path.codes[before], book);
        for (std::size_t k = 0; k < tables_.k(); ++k) extended_[k] += dots[k];
      }
      for (std::size_t k = 0; k < tables_.k(); ++k) {
        if (longer_.size() == width && extended_[k] >= longer_.back().score) continue;
        if (longer_.size() == width) longer_.pop_back();
        Path next = path;
        next.score = extended_[k];
        next.codes[book] = static_cast<std::uint16_t>(k);
        const auto place = std::ranges::upper_bound(longer_, next.score, {}, &Path::score);
        longer_.insert(place, next);
      }
    }
    std::swap(paths_, longer_);
  }

  const Tables& tables_;
  std::size_t width_;
  std::vector<float> scores_;    // of the centroids of all books, for the block
  std::vector<float> extended_;  // scores of one path with each centroid of the next book
  std::vector<Path> paths_, longer_;
};

// x - Σ c_m over all books but one. [blocks][d]
std::vector<float> residual(BlockSpan blocks, const AdditiveCodebooks& books,
                            std::size_t n_additive, std::size_t left_out) {
  std::vector<float> values(blocks.values.begin(), blocks.values.end());
  const std::size_t n = blocks.count(), d = blocks.d;
  const std::size_t book_floats = books.values.size() / n_additive;
  Workers(values.size() * n_additive, 1).for_each(n, [&](std::size_t i) {
    for (std::size_t book = 0; book < n_additive; ++book) {
      if (book == left_out) continue;
      const float* centroid = &books.values[book * book_floats + books.codes[book * n + i] * d];
      for (std::size_t j = 0; j < d; ++j) values[i * d + j] -= centroid[j];
    }
  });
  return values;
}

std::span<float> book_of(AdditiveCodebooks& books, std::size_t book, std::size_t n_additive) {
  const std::size_t size = books.values.size() / n_additive;
  return std::span(books.values).subspan(book * size, size);
}

// Residual quantization. Codebooks of fewer than K centroids end with zeros.
AdditiveCodebooks initial_books(BlockSpan blocks, const BlockWeights& weights,
                                const PqOptions& options, std::size_t k,
                                const OnIteration& on_iteration) {
  const std::size_t n = blocks.count(), d = blocks.d, n_books = options.n_additive;
  AdditiveCodebooks books{std::vector<float>(n_books * k * d),
                          std::vector<std::uint16_t>(n_books * n)};
  for (std::size_t book = 0; book < n_books; ++book) {
    const std::vector<float> left = residual(blocks, books, n_books, book);
    const auto codes = std::span(books.codes).subspan(book * n, n);
    const BlockSpan span{left, d};
    PqOptions own = options;
    own.seed += book;
    const std::vector<float> codebook = train_codebook(span, weights, own, codes, on_iteration);
    std::ranges::copy(codebook, book_of(books, book, n_books).begin());
    assign(span, codebook, codes, weights);
  }
  return books;
}

// Sweeps over the codebooks: each one becomes the means of the residuals of the others. The sweeps
// converge to the least squares of all codebooks together, for the given codes.
void refit(BlockSpan blocks, const BlockWeights& weights, std::size_t n_additive,
           AdditiveCodebooks& books) {
  constexpr std::size_t kSweeps = 3;
  const std::size_t n = blocks.count();
  for (std::size_t step = 0; step < kSweeps * n_additive; ++step) {
    const std::size_t book = step % n_additive;
    const std::vector<float> left = residual(blocks, books, n_additive, book);
    const auto codes = std::span<const std::uint16_t>(books.codes).subspan(book * n, n);
    update_centroids({left, blocks.d}, codes, book_of(books, book, n_additive), weights);
  }
}

}  // namespace

double search_codes(BlockSpan blocks, const BlockWeights& weights, std::size_t beam,
                    AdditiveCodebooks& books, std::size_t n_additive) {
  const Tables tables(books.values, n_additive, blocks.d);
  const std::size_t n = blocks.count();
  const auto search = [&](const IndexRange& range, std::size_t, double& sum) {
    BeamSearch find(tables, beam);
    for (std::size_t i = range.begin; i < range.end; ++i) {
      Path best = find(blocks[i]);
      Path old = best;
      for (std::size_t book = 0; book < n_additive; ++book) {
        old.codes[book] = books.codes[book * n + i];
      }
      old.score = find.score_of(old);
      if (old.score <= find.score_of(best)) best = old;
      double square = 0;
      for (std::size_t j = 0; j < blocks.d; ++j) square += double{blocks[i][j]} * blocks[i][j];
      sum += weights.of_row(i) * std::max(0.0, square + double{best.score});
      for (std::size_t book = 0; book < n_additive; ++book) {
        books.codes[book * n + i] = best.codes[book];
      }
    }
  };
  const double cost = static_cast<double>(tables.k() * (blocks.d + beam) * n_additive);
  return Workers(n, cost).reduce_in_order(Division::by_length(n, kBlocksPerRange), 0.0, search,
                                          [](double& sum, double part) { sum += part; });
}

AdditiveCodebooks train_additive(BlockSpan blocks, const BlockWeights& weights,
                                 const PqOptions& options, DType dtype,
                                 const OnIteration& on_iteration) {
  constexpr std::size_t kBeam = 8, kLastBeam = 16;
  // A round takes as long as several iterations of EM.
  constexpr std::size_t kIterationsPerRound = 4;
  const std::size_t n_books = options.n_additive;
  std::size_t iteration = 0;
  AdditiveCodebooks books =
      initial_books(blocks, weights, options, options.n_centroids, [&](EmIteration done) {
        done.iteration = iteration++;
        on_iteration(done);
      });
  double before = std::numeric_limits<double>::max();
  for (std::size_t round = 0; round < options.iterations / kIterationsPerRound; ++round) {
    refit(blocks, weights, n_books, books);
    const double objective = search_codes(blocks, weights, kBeam, books, n_books);
    on_iteration({0, 0, iteration++, blocks.count(), objective, 0});
    if (before - objective <= options.tolerance * before) break;
    before = objective;
  }
  refit(blocks, weights, n_books, books);
  round_to(dtype, books.values);
  search_codes(blocks, weights, kLastBeam, books, n_books);
  return books;
}

}  // namespace pqw
