#include "core/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>

namespace pqw {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// Every test runs with one thread, with some, and with more than there are processors.
class Parallel : public ::testing::TestWithParam<int> {
 protected:
  ~Parallel() override { omp_set_num_threads(omp_get_num_procs()); }

  static Workers all_of(int n_threads) {
    omp_set_num_threads(n_threads);
    return Workers(true);
  }

  const Workers workers_ = all_of(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, ::testing::Values(1, 2, 3, 8));

std::vector<std::size_t> bounds_of(const Division& division) {
  std::vector<std::size_t> bounds;
  for (std::size_t i = 0; i < division.n_ranges; ++i) {
    EXPECT_EQ(division[i].index, i);
    bounds.push_back(division[i].begin);
    bounds.push_back(division[i].end);
  }
  return bounds;
}

TEST(Division, HasRangesOfALengthOrOfNearlyEqualLengths) {
  EXPECT_THAT(bounds_of(Division::by_length(10, 4)), ElementsAre(0, 4, 4, 8, 8, 10));
  EXPECT_THAT(bounds_of(Division::by_length(8, 4)), ElementsAre(0, 4, 4, 8));
  EXPECT_THAT(bounds_of(Division::by_length(0, 4)), ElementsAre());
  EXPECT_THAT(bounds_of(Division::by_count(10, 4)), ElementsAre(0, 2, 2, 5, 5, 7, 7, 10));
  EXPECT_THAT(bounds_of(Division::by_count(1, 2)), ElementsAre(0, 0, 0, 1));
}

TEST_P(Parallel, WorkersAreAllThreadsFromEnoughWorkOn) {
  const auto all = static_cast<std::size_t>(GetParam());
  EXPECT_EQ(Workers(1 << 18, 1).count(), all);
  EXPECT_EQ(Workers((1 << 18) - 1, 1).count(), 1u);
  EXPECT_EQ(Workers(1 << 16, 4).count(), all);
  EXPECT_EQ(Workers(1 << 16, 3.9).count(), 1u);
  EXPECT_EQ(Workers(true).count(), all);
  EXPECT_EQ(Workers(false).count(), 1u);
}

TEST_P(Parallel, EachIndexIsCalledOnceInAdjacentOnesOfAWorker) {
  for (const std::size_t n : {0u, 1u, 2u, 7u, 1000u}) {
    std::vector<int> calls(n);
    std::vector<std::size_t> owner(n);
    workers_.for_each(n, [&](std::size_t i) { ++calls[i]; });
    workers_.for_each(n, [&](std::size_t i, std::size_t worker) {
      ++calls[i];
      owner[i] = worker;
    });
    EXPECT_THAT(calls, Each(2)) << n;
    EXPECT_TRUE(std::is_sorted(owner.begin(), owner.end())) << n;
    EXPECT_THAT(owner, Each(::testing::Lt(workers_.count()))) << n;
  }
}

TEST_P(Parallel, EachRangeIsCalledOnceByOneOfTheWorkers) {
  for (const std::size_t n : {0u, 1u, 5u, 64u, 1001u}) {
    const Division division = Division::by_length(n, 5);
    std::vector<int> calls(n);
    workers_.for_ranges(division, [&](const IndexRange& range, std::size_t worker) {
      EXPECT_LT(worker, workers_.count());
      EXPECT_EQ(range.begin, 5 * range.index);
      for (std::size_t i = range.begin; i < range.end; ++i) ++calls[i];
    });
    EXPECT_THAT(calls, Each(1)) << n;
  }
}

TEST_P(Parallel, PartialResultsAreCombinedInTheOrderOfTheRanges) {
  const std::string text = workers_.reduce_in_order(
      Division::by_length(7, 2), std::string("-"),
      [](const IndexRange& range, std::size_t, std::string& partial) {
        for (std::size_t i = range.begin; i < range.end; ++i) partial += std::to_string(i);
      },
      [](std::string& all, const std::string& partial) { all += partial; });
  EXPECT_EQ(text, "-01-23-45-6");
}

TEST_P(Parallel, SumsOfFloatsHaveTheSameBitsOnAnyNumberOfThreads) {
  // Of 1 and -1 in turn and something small, what is left depends on the order.
  const std::size_t n = 10'000;
  const auto value = [](std::size_t i) { return (i % 2 == 0 ? 1.0f : -1.0f) + 1e-8f * float(i); };
  float expected = 0;
  for (std::size_t begin = 0; begin < n; begin += 16) {
    float partial = 0;
    for (std::size_t i = begin; i < begin + 16; ++i) partial += value(i);
    expected += partial;
  }
  const float sum = workers_.reduce_in_order(
      Division::by_length(n, 16), 0.0f,
      [&](const IndexRange& range, std::size_t, float& partial) {
        for (std::size_t i = range.begin; i < range.end; ++i) partial += value(i);
      },
      [](float& all, float partial) { all += partial; });
  EXPECT_EQ(sum, expected);
}

TEST_P(Parallel, WithoutRangesTheResultIsZero) {
  const auto fail = [](auto&&...) { FAIL(); };
  EXPECT_EQ(workers_.reduce_in_order(Division::by_length(0, 2), 7, fail, fail), 7);
}

TEST_P(Parallel, TheExceptionOfTheLowestIndexIsThrownAfterTheLoop) {
  const auto throw_some = [](std::size_t i) {
    if (i % 7 == 3) throw std::length_error(std::to_string(i));
  };
  const auto message_of = [](const auto& loop) -> std::string {
    try {
      loop();
    } catch (const std::length_error& error) {
      return error.what();
    }
    return "none";
  };
  for (int repeat = 0; repeat < 20; ++repeat) {
    EXPECT_EQ(message_of([&] { workers_.for_each(1000, throw_some); }), "3");
    EXPECT_EQ(message_of([&] {
                workers_.for_ranges(
                    Division::by_length(1000, 1),
                    [&](const IndexRange& range, std::size_t) { throw_some(range.begin); });
              }),
              "3");
  }
}

TEST_P(Parallel, AnyExceptionKeepsItsType) {
  const auto no_memory = [](std::size_t i) {
    if (i == 99) throw std::bad_alloc();
  };
  EXPECT_THROW(workers_.for_each(100, no_memory), std::bad_alloc);
  const auto add = [&](const IndexRange& range, std::size_t, int&) { no_memory(range.begin); };
  EXPECT_THROW(workers_.reduce_in_order(Division::by_length(100, 1), 0, add, [](int&, int) {}),
               std::bad_alloc);
}

TEST_P(Parallel, ALoopInsideOfALoopRunsOnTheCallingThread) {
  std::vector<int> sums(16);
  workers_.for_each(sums.size(), [&](std::size_t i) {
    const Workers inner(true);
    EXPECT_EQ(inner.count(), 1u);
    inner.for_each(10, [&](std::size_t j) { sums[i] += static_cast<int>(j); });
    inner.together([&](const Worker& me) {
      me.wait();
      sums[i] += static_cast<int>(me.count);
    });
  });
  EXPECT_THAT(sums, Each(45 + 1));
}

TEST_P(Parallel, StepsTogetherSeeWhatAllWorkersDidBeforeTheyWaited) {
  const std::size_t n = 100;
  std::vector<std::size_t> values(n, 0), sums(n, 0);
  for (int repeat = 0; repeat < 20; ++repeat) {
    workers_.together([&](const Worker& me) {
      for (std::size_t step = 1; step <= 3; ++step) {
        const IndexRange share = me.share(n);
        for (std::size_t i = share.begin; i < share.end; ++i) values[i] = step;
        me.wait();
        for (std::size_t i = share.begin; i < share.end; ++i) {
          sums[i] = std::accumulate(values.begin(), values.end(), std::size_t{0});
        }
        me.wait();
        for (std::size_t i = share.begin; i < share.end; ++i) EXPECT_EQ(sums[i], n * step);
      }
    });
    EXPECT_THAT(sums, Each(3 * n));
  }
}

// Without this, the child would wait for threads that exist in the parent only.
TEST(ParallelAfterFork, LoopsOfTheChildRunOnItsThread) {
  omp_set_num_threads(3);
  std::vector<int> seen(1000);
  const auto loop = [&] {
    Workers(true).for_each(seen.size(), [&](std::size_t i) { seen[i] += 1; });
  };
  loop();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    loop();
    const bool passes = Workers(true).count() == 1 && std::ranges::count(seen, 2) == 1000;
    ::_exit(passes ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Workers(true).count(), 3u);
  omp_set_num_threads(omp_get_num_procs());
}

}  // namespace
}  // namespace pqw
