// The C API leaves the process of its caller as it was, whatever its other threads do.
#include <gmock/gmock.h>
#include <hdf5.h>
#include <omp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <clocale>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <list>
#include <numeric>
#include <thread>

#include "isolate/sandbox.h"
#include "pqw/formats/weight_file.h"
#include "tests/c/c_testing.h"

extern char** environ;

namespace pqw {
namespace {

using testing::HasSubstr;

class CProcess : public test::CTest {
 protected:
  // Opens and closes the archive after it has read a tensor, on `expected`.
  void open_and_read() const {
    pqw_model* model = nullptr;
    ASSERT_EQ(pqw_model_open(path_.c_str(), 0, &model), PQW_OK) << pqw_last_error();
    std::vector<float> values(240);
    ASSERT_EQ(pqw_model_decode(model, 0, PQW_F32, values.data(), 960, nullptr), PQW_OK)
        << pqw_last_error();
    EXPECT_EQ(values, expected_);
    pqw_model_close(model);
  }

  const std::vector<float> expected_ = [] {
    std::vector<float> values(240);
    decode_rows(test::pq_weight({20, 12}), 0, {values.data(), 20, 12});
    return values;
  }();
};

std::size_t n_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

// Gives this thread a small share of the processor, so that the opens beside it take seconds.
void lower_priority() { (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 15); }

// Allocates and frees memory of many sizes, so that a fork meets the allocator at work.
void allocate_until(const std::atomic<bool>& stop) {
  lower_priority();
  std::list<std::vector<char>> held;
  for (std::size_t i = 1; !stop; ++i) {
    held.emplace_back(i * 7919 % 200'000);
    if (held.size() > 50) held.pop_front();
  }
}

// Reads archives in this process, and fails: the locks of HDF5 and the unwinder. Most of the time HDF5 is
// free, as a fork waits for it.
void work_until(const std::atomic<bool>& stop, const std::string& path) {
  lower_priority();
  test::write_archive(path);
  while (!stop) {
    pqw_model* model = nullptr;
    EXPECT_EQ(pqw_model_open(path.c_str(), PQW_TRUSTED, &model), PQW_OK) << pqw_last_error();
    for (int i = 0; i < 500; ++i) {
      std::size_t index = 0;
      EXPECT_EQ(pqw_model_find(model, "none", &index), PQW_NOT_FOUND);
    }
    pqw_model_close(model);
  }
}

void multiply_until(const std::atomic<bool>& stop) {
  lower_priority();
  std::vector<double> values(1 << 16, 1.0);
  while (!stop) {
#pragma omp parallel for num_threads(2)
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sqrt(values[i] + 1);
  }
}

TEST_F(CProcess, ManyOpensBesideBusyThreadsNeitherHangNorLeak) {
  if (has_sanitizer()) {
    GTEST_SKIP() << "the allocator of sanitizers may stay locked in a process that is forked while "
                    "other threads allocate";
  }
  pqw_model_close(model_);
  model_ = nullptr;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&] { allocate_until(stop); });
  for (int t = 0; t < 2; ++t) threads.emplace_back([&] { multiply_until(stop); });
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] { work_until(stop, dir_ / std::to_string(t) + ".h5"); });
  }
#pragma omp parallel num_threads(4)
  { std::vector<char> own(1000); }
  open_and_read();
  const std::size_t before = n_descriptors();
  std::vector<std::thread> openers;
  for (int t = 0; t < 2; ++t) {
    openers.emplace_back([&] {
      for (int i = 0; i < 250 && !HasFatalFailure(); ++i) open_and_read();
    });
  }
  for (std::thread& thread : openers) thread.join();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(n_descriptors(), before);
  EXPECT_FALSE(has_children());
}

TEST_F(CProcess, AFailedOpenLeavesNothing) {
  const std::string broken = dir_ / "broken.h5";
  std::filesystem::copy_file(path_, broken);
  std::filesystem::resize_file(broken, std::filesystem::file_size(broken) / 2);
  const std::size_t before = n_descriptors();
  for (int i = 0; i < 20; ++i) {
    pqw_model* model = nullptr;
    EXPECT_NE(pqw_model_open(broken.c_str(), 0, &model), PQW_OK);
  }
  EXPECT_EQ(n_descriptors(), before);
  pqw_model_close(model_);
  model_ = nullptr;
  EXPECT_FALSE(has_children());
}

TEST_F(CProcess, AModelWorksInAForkedProcessToo) {
  const auto read = [&](const char* name, std::size_t n) {
    std::vector<float> values(n);
    const pqw_status status =
        pqw_model_decode(model_, index(name), PQW_F32, values.data(), 4 * n, nullptr);
    return status == PQW_OK ? values : std::vector<float>();
  };
  for (int i = 0; i < 2; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      bool ok = true;
      for (int k = 0; k < 50; ++k) ok = ok && read("fc.weight", 240) == expected_;
      pqw_model_close(model_);
      ::_exit(ok && !has_children() ? 0 : 1);
    }
    // At the same time, of the same size: answers must not be mixed up.
    for (int k = 0; k < 50; ++k) EXPECT_NE(read("fc.bias", 20), read("conv.bias", 6));
    int status = 1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(read("fc.weight", 240), expected_);
  }
}

// What a library could change of a process.
struct State {
  int n_threads = omp_get_max_threads();
  int is_dynamic = omp_get_dynamic();
  int n_levels = omp_get_max_active_levels();
  std::string locale = std::setlocale(LC_ALL, nullptr);
  std::filesystem::path folder = std::filesystem::current_path();
  mode_t mask = ::umask(0);
  std::vector<std::string> environment = {};
  std::vector<void (*)(int)> handlers = {};
  sigset_t blocked = {};
  H5E_auto2_t print_errors = nullptr;
  void* print_errors_to = nullptr;
  unsigned plugins = 0;

  State() {
    ::umask(mask);
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    for (int number = 1; number < 65; ++number) {
      struct sigaction action = {};
      if (::sigaction(number, nullptr, &action) == 0) handlers.push_back(action.sa_handler);
    }
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    H5Eget_auto2(H5E_DEFAULT, &print_errors, &print_errors_to);
    H5PLget_loading_state(&plugins);
  }
};

void expect_unchanged(const State& before) {
  const State after;
  EXPECT_EQ(after.n_threads, before.n_threads);
  EXPECT_EQ(after.is_dynamic, before.is_dynamic);
  EXPECT_EQ(after.n_levels, before.n_levels);
  EXPECT_EQ(after.locale, before.locale);
  EXPECT_EQ(after.folder, before.folder);
  EXPECT_EQ(after.mask, before.mask);
  EXPECT_EQ(after.environment, before.environment);
  EXPECT_EQ(after.handlers, before.handlers);
  EXPECT_EQ(std::memcmp(&after.blocked, &before.blocked, sizeof(sigset_t)), 0);
  EXPECT_EQ(after.print_errors, before.print_errors);
  EXPECT_EQ(after.print_errors_to, before.print_errors_to);
  EXPECT_EQ(after.plugins, before.plugins);
}

TEST_F(CProcess, NothingOfTheProcessChanges) {
  const std::string input = dir_ / "in.safetensors", output = dir_ / "out.h5";
  {
    const auto writer = create_weights(input, {{"w", DType::kF32, {300, 200}}});
    const auto values = test::normal_values(60'000, 1);
    writer->add(std::as_bytes(std::span(values)));
    writer->commit();
  }
  ASSERT_GE(H5open(), 0);
  const State at_start;
  omp_set_num_threads(3);
  omp_set_dynamic(1);
  omp_set_max_active_levels(2);
  const State before;
  for (const std::uint32_t flags : {0u, static_cast<std::uint32_t>(PQW_TRUSTED)}) {
    pqw_recipe* recipe = nullptr;
    ASSERT_EQ(pqw_recipe_create(&recipe), PQW_OK);
    for (const char* settings : {"codec=pq", "codec=tcq,bits=3", "codec=low_rank,rank=20"}) {
      ASSERT_EQ(pqw_recipe_set(recipe, settings), PQW_OK) << pqw_last_error();
      pqw_compress_options options = PQW_COMPRESS_OPTIONS_INIT;
      options.flags = flags | PQW_OVERWRITE;
      ASSERT_EQ(pqw_compress(input.c_str(), output.c_str(), recipe, &options, nullptr), PQW_OK)
          << pqw_last_error();
      ASSERT_EQ(pqw_verify(output.c_str(), flags, nullptr), PQW_OK);
      pqw_recipe_destroy(recipe);
      ASSERT_EQ(pqw_recipe_create(&recipe), PQW_OK);
    }
    pqw_recipe_destroy(recipe);
    pqw_model* model = nullptr;
    ASSERT_EQ(pqw_model_open(output.c_str(), flags, &model), PQW_OK);
    pqw_linear* linear = nullptr;
    ASSERT_EQ(pqw_linear_create(model, "w", nullptr, nullptr, &linear), PQW_OK);
    std::vector<float> x(64 * 200), y(64 * 300);
    EXPECT_EQ(pqw_linear_forward(linear, 64, x.data(), 200, y.data(), 300), PQW_OK);
    pqw_linear_destroy(linear);
    pqw_model_close(model);
    EXPECT_NE(pqw_model_open("/none", flags, &model), PQW_OK);
    EXPECT_NE(pqw_model_open(input.c_str(), 99, &model), PQW_OK);
  }
  expect_unchanged(before);
  omp_set_num_threads(at_start.n_threads);
  omp_set_dynamic(at_start.is_dynamic);
  omp_set_max_active_levels(at_start.n_levels);
}

TEST_F(CProcess, ThreadsUseOneModelAndOneLayer) {
  pqw_linear* linear = nullptr;
  ASSERT_EQ(pqw_linear_create(model_, "fc.weight", "fc.bias", nullptr, &linear), PQW_OK);
  const auto x = test::normal_values(12, 1);
  std::vector<float> expected(20);
  ASSERT_EQ(pqw_linear_forward(linear, 1, x.data(), 12, expected.data(), 20), PQW_OK);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        std::vector<float> y(20), w(240);
        EXPECT_EQ(pqw_linear_forward(linear, 1, x.data(), 12, y.data(), 20), PQW_OK);
        EXPECT_EQ(y, expected);
        EXPECT_EQ(pqw_model_decode(model_, 0, PQW_F32, w.data(), 960, nullptr), PQW_OK);
        EXPECT_EQ(w, expected_);
        const char* codec = nullptr;
        EXPECT_EQ(pqw_model_codec(model_, static_cast<std::size_t>(t), &codec), PQW_OK);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  pqw_linear_destroy(linear);
}

// Ends the process: with 0 if a call says that memory is missing.
[[noreturn]] void call_without_memory() {
  pqw_recipe* recipe = nullptr;
  const std::string settings(std::size_t{1} << 28, 'x');
  bool ok = pqw_recipe_create(&recipe) == PQW_OK;
  const rlimit limit{std::size_t{1} << 28, std::size_t{1} << 28};
  ok = ok && ::setrlimit(RLIMIT_AS, &limit) == 0;
  ok = ok && pqw_recipe_set(recipe, settings.c_str()) == PQW_OUT_OF_MEMORY;
  std::fputs(pqw_last_error(), stderr);
  ::_exit(ok ? 0 : 1);
}

TEST_F(CProcess, MissingMemoryIsAnError) {
  if (has_sanitizer()) GTEST_SKIP() << "sanitizers end the process at such an allocation";
  EXPECT_EXIT(call_without_memory(), testing::ExitedWithCode(0), "not enough memory");
}

}  // namespace
}  // namespace pqw
