// Runs that were interrupted and resumed: the output is that of a run that was not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>
#include <signal.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>

#include "pqw/compress/compress.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "tests/compress/interruption.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

const Recipe kRecipe{.defaults = {{"codec", "pq"},
                                  {"block_size", "8"},
                                  {"centroids", "8"},
                                  {"iterations", "1"},
                                  {"restarts", "1"},
                                  {"init", "random"}}};

using Observer = test::CountingObserver;
using test::content;
using test::Interruption;
using testing::ElementsAre;
using Setting = Settings::value_type;

class ResumeTest : public testing::Test {
 protected:
  // Three tensors, each large enough to be encoded alone, and small ones between them.
  void write_input(unsigned seed) const {
    std::vector<TensorInfo> infos;
    for (int i = 0; i < 3; ++i) {
      infos.push_back({"large." + std::to_string(i), DType::kF32, {1025, 512}});
      infos.push_back({"small." + std::to_string(i), DType::kF32, {64, 32}});
      infos.push_back({"bias." + std::to_string(i), DType::kF32, {7}});
    }
    test::write_normal_weights(input_, infos, seed);
  }

  void SetUp() override { write_input(1); }

  std::string uninterrupted(const Recipe& recipe) const {
    (void)n_iterations(recipe);
    return content(dir_ / "whole.h5");
  }

  std::size_t n_iterations(const Recipe& recipe) const {
    Observer observer;
    compress(input_, dir_ / "whole.h5", recipe, {.overwrite = true, .observer = &observer});
    return observer.iterations;
  }

  void interrupt(const Recipe& recipe, std::size_t most_done) const {
    Observer observer(most_done);
    EXPECT_THROW(compress(input_, output_, recipe,
                          {.overwrite = true, .observer = &observer, .resume = true}),
                 Interruption);
    EXPECT_FALSE(std::filesystem::exists(output_));
  }

  std::size_t n_parts() const {
    if (!std::filesystem::exists(parts_)) return 0;
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(parts_), {}));
  }

  // Returns how many iterations it took.
  std::size_t resume(const Recipe& recipe) const {
    Observer observer;
    compress(input_, output_, recipe, {.overwrite = true, .observer = &observer, .resume = true});
    EXPECT_FALSE(std::filesystem::exists(parts_));
    return observer.iterations;
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "in.safetensors";
  const std::string output_ = dir_ / "out.h5";
  const std::string parts_ = dir_ / "out.h5.pqw.parts";
};

TEST_F(ResumeTest, TheFolderOfAModelIsResumedLikeAFile) {
  const std::string folder = dir_ / "folder/";
  Observer first(5), second;
  EXPECT_THROW(compress(input_, folder, kRecipe, {.observer = &first, .resume = true}),
               Interruption);
  EXPECT_FALSE(std::filesystem::exists(folder));
  compress(input_, folder, kRecipe, {.observer = &second, .resume = true});
  EXPECT_LT(second.iterations, n_iterations(kRecipe));
  EXPECT_EQ(content(folder + "model.h5"), uninterrupted(kRecipe));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "folder.pqw.tmp"));
}

TEST_F(ResumeTest, GivesTheSameBytesAndLearnsOnlyWhatIsMissing) {
  const std::string whole = uninterrupted(kRecipe);
  std::size_t before = SIZE_MAX;
  for (const std::size_t most_done : {0, 4, 7}) {
    std::filesystem::remove_all(parts_);
    interrupt(kRecipe, most_done);
    EXPECT_GE(n_parts(), 1u);
    std::filesystem::remove(output_);
    const std::size_t iterations = resume(kRecipe);
    EXPECT_LT(iterations, before);
    EXPECT_TRUE(content(output_) == whole) << most_done;
    before = iterations;
    std::filesystem::remove(output_);
  }
}

TEST_F(ResumeTest, PartsThatNobodyAskedForAreNotNeeded) {
  const std::string whole = uninterrupted(kRecipe);
  test::set_content(parts_, "a file");
  Observer observer;
  compress(input_, output_, kRecipe,
           {.overwrite = true, .observer = &observer, .keep_after_seconds = 0});
  EXPECT_TRUE(content(output_) == whole);
  EXPECT_EQ(observer.kept, "");
  EXPECT_THAT(observer.not_kept, ElementsAre(parts_ + ": is not a folder; finished tensors are "
                                                      "kept in one"));
  EXPECT_EQ(content(parts_), "a file");
  std::filesystem::remove(output_);
  Observer resuming;
  EXPECT_THROW(compress(input_, output_, kRecipe,
                        {.overwrite = true, .observer = &resuming, .resume = true}),
               Error);
  EXPECT_EQ(resuming.iterations, 0u);
  EXPECT_FALSE(std::filesystem::exists(output_));
}

// Between the first part and the end of the attempt to write the second one, files cannot grow.
struct FullDisk : Observer {
  void on_tensor(const TensorInfo&) override {
    if (!kept.empty() && not_kept.empty()) set_limit(0);
  }
  void on_not_kept(const std::string& why) override {
    set_limit(before.rlim_cur);
    not_kept.push_back(why);
    parts_are_left = std::filesystem::exists(kept);
  }
  void set_limit(rlim_t bytes) const {
    const rlimit limit{bytes, before.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  rlimit before{};
  bool parts_are_left = true;
};

TEST_F(ResumeTest, AFullDiskEndsTheKeepingAndNotTheRun) {
  const std::string whole = uninterrupted(kRecipe);
  FullDisk observer;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &observer.before), 0);
  const auto previous = ::signal(SIGXFSZ, SIG_IGN);
  compress(input_, output_, kRecipe,
           {.overwrite = true, .observer = &observer, .keep_after_seconds = 0});
  ::signal(SIGXFSZ, previous);
  EXPECT_TRUE(content(output_) == whole);
  EXPECT_EQ(observer.not_kept.size(), 1u);
  EXPECT_FALSE(observer.parts_are_left);
}

// Centroids that are blocks are farther from noise than zeros are.
TEST_F(ResumeTest, TensorsThatWereNotTakenAreNotTakenAgain) {
  const Recipe recipe{.defaults = {{"centroids", "2"},
                                   {"block_size", "32"},
                                   {"iterations", "0"},
                                   {"init", "random"},
                                   {"fallback.codec", "int8"}}};
  const std::string whole = uninterrupted(recipe);
  for (const std::size_t most_done : {0, 4, 7}) {
    interrupt(recipe, most_done);
    EXPECT_GE(n_parts(), 1u);
    resume(recipe);
    EXPECT_TRUE(content(output_) == whole) << most_done;
    std::filesystem::remove(output_);
  }
}

TEST_F(ResumeTest, OnAnotherNumberOfThreadsGivesTheSameBytes) {
  omp_set_num_threads(1);
  const std::string whole = uninterrupted(kRecipe);
  for (const int threads : {2, 3, 4, 8}) {
    omp_set_num_threads(threads);
    interrupt(kRecipe, 4);
    omp_set_num_threads(threads - 1);
    resume(kRecipe);
    EXPECT_TRUE(content(output_) == whole) << threads << " threads";
    std::filesystem::remove(output_);
  }
  omp_set_num_threads(omp_get_num_procs());
}

TEST_F(ResumeTest, ReportsTheSame) {
  const Report whole = compress(input_, dir_ / "whole.h5", kRecipe);
  interrupt(kRecipe, 8);
  const Report resumed = compress(input_, output_, kRecipe, {.resume = true});
  ASSERT_EQ(resumed.tensors.size(), whole.tensors.size());
  for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
    const TensorReport &a = whole.tensors[i], &b = resumed.tensors[i];
    EXPECT_EQ(a.info, b.info);
    EXPECT_EQ(a.codec, b.codec);
    EXPECT_EQ(a.settings, b.settings);
    EXPECT_EQ(a.note, b.note);
    EXPECT_EQ(a.bytes, b.bytes);
    EXPECT_EQ(a.n_parameters, b.n_parameters);
    EXPECT_EQ(a.distortion->squared_error(), b.distortion->squared_error());
    EXPECT_EQ(a.distortion->count(), b.distortion->count());
    EXPECT_EQ(a.distortion->max_abs_error(), b.distortion->max_abs_error());
  }
}

TEST_F(ResumeTest, WithNothingKeptIsAWholeRun) {
  resume(kRecipe);
  EXPECT_TRUE(content(output_) == uninterrupted(kRecipe));
}

TEST_F(ResumeTest, DamagedPartsAreMadeAnew) {
  const std::string whole = uninterrupted(kRecipe);
  interrupt(kRecipe, 7);
  ASSERT_GE(n_parts(), 3u);
  std::size_t position = 700;  // in the first block, the superblock, data, ...
  for (const auto& part : std::filesystem::directory_iterator(parts_)) {
    std::fstream file(part.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(position));
    file.put('\x5a').put('\xa5');
    position += 3000;
  }
  resume(kRecipe);
  EXPECT_TRUE(content(output_) == whole);
}

TEST_F(ResumeTest, OfOtherSettingsOrInputTakesNothing) {
  for (const Setting& setting : {Setting{"seed", "7"}, Setting{"centroids", "9"}}) {
    interrupt(kRecipe, 8);
    Recipe other = kRecipe;
    other.defaults.push_back(setting);
    const std::size_t iterations = resume(other);
    EXPECT_EQ(iterations, n_iterations(other)) << setting.first;
    EXPECT_TRUE(content(output_) == uninterrupted(other)) << setting.first;
    std::filesystem::remove(output_);
  }
  interrupt(kRecipe, 8);
  write_input(100);
  const std::size_t iterations = resume(kRecipe);
  EXPECT_EQ(iterations, n_iterations(kRecipe));
  EXPECT_TRUE(content(output_) == uninterrupted(kRecipe));
}

TEST_F(ResumeTest, WithoutAskingForItAllIsMadeAnewAndThePartsGo) {
  interrupt(kRecipe, 8);
  EXPECT_GE(n_parts(), 1u);
  Observer observer;
  compress(input_, output_, kRecipe, {.overwrite = true, .observer = &observer});
  EXPECT_EQ(observer.iterations, n_iterations(kRecipe));
  EXPECT_EQ(n_parts(), 0u);
}

TEST_F(ResumeTest, AShortRunKeepsNothingUnlessItIsAskedTo) {
  Observer observer(7);
  EXPECT_THROW(
      compress(input_, output_, kRecipe, {.observer = &observer, .keep_after_seconds = 1e9}),
      Interruption);
  EXPECT_EQ(observer.kept, "");
  EXPECT_EQ(n_parts(), 0u);
}

TEST_F(ResumeTest, ALongRunKeepsWhatItFinishes) {
  Observer observer(7);
  EXPECT_THROW(compress(input_, output_, kRecipe, {.observer = &observer, .keep_after_seconds = 0}),
               Interruption);
  EXPECT_EQ(observer.kept, parts_);
  EXPECT_GE(n_parts(), 3u);
  EXPECT_LT(resume(kRecipe), n_iterations(kRecipe));
  EXPECT_TRUE(content(output_) == uninterrupted(kRecipe));
}

}  // namespace
}  // namespace pqw
