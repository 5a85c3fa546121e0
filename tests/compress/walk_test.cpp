// The walk over a plan: what it reads, and in which order it stores.
#include "compress/walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "tests/compress/interruption.h"
#include "tests/formats/file_testing.h"
#include "tests/support/normal_weights.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::Tensor;

// Counts how often each tensor is read.
class CountingReader : public WeightReader {
 public:
  explicit CountingReader(std::unique_ptr<WeightReader> file)
      : file_(std::move(file)), n_read_(file_->tensors().size()) {
    tensors_ = file_->tensors();
  }
  std::vector<std::byte> read(std::size_t index) const override {
    ++n_read_[index];
    return file_->read(index);
  }

  std::vector<int> counts() const { return {n_read_.begin(), n_read_.end()}; }

 private:
  std::unique_ptr<WeightReader> file_;
  mutable std::vector<std::atomic<int>> n_read_;
};

Tensor normal(const std::string& name, const Shape& shape, unsigned seed, float scale = 1) {
  Tensor tensor{{name, DType::kF32, shape}, {}};
  auto values = test::normal_values(element_count(shape), seed);
  for (float& value : values) value *= scale;
  tensor.bytes.assign(reinterpret_cast<const char*>(values.data()), 4 * values.size());
  return tensor;
}

// One of each kind: encoded, by a fallback, refused, plain, tied, joint layers, adopted.
class WalkTest : public testing::Test {
 protected:
  WalkTest() {
    std::vector<Tensor> tensors{normal("joint.0", {48, 40}, 1),
                                normal("pq", {64, 64}, 2),
                                normal("joint.1", {48, 40}, 3),
                                normal("faint.0", {48, 40}, 4),
                                normal("bias", {64}, 5),
                                normal("lost", {100, 50}, 1),
                                normal("refused", {100, 50}, 1),
                                normal("large", {1025, 512}, 8),
                                normal("faint.1", {48, 40}, 9, 1e-6f)};
    tensors.push_back(tensors[1]);
    tensors.back().info.name = "pq.tied";
    tensors.push_back({{"q_scale", DType::kF32, {1}}, std::string("\0\0\x80\x3f", 4)});
    tensors.push_back({{"q", DType::kI8, {8, 16}}, std::string(128, '\5')});
    test::write_all(input_, tensors);
  }

  static Recipe recipe() {
    // What factors of noise lose multiplies.
    constexpr const char* kLost = "codec=low_rank,rank=16,factors.codec=low_rank,factors.rank=4";
    return {
        .defaults = parse_settings("codec=pq,block_size=8,centroids=8,iterations=1,init=random"),
        .rules = {{"^joint", parse_settings("codec=tensorized,rank=0.3,joint=x")},
                  {"^faint", parse_settings("codec=tensorized,rank=8,joint=y,factors.codec=pq,"
                                            "factors.centroids=4,fallback.codec=int8")},
                  {"^lost", parse_settings(std::string(kLost) + ",fallback.codec=int8")},
                  {"^refused", parse_settings(kLost)},
                  {"^q$", {{"codec", "int8"}}}}};
  }

  std::map<std::string, std::string> codecs(Mode mode, const WeightReader& reader,
                                            WalkOptions options = {}) const {
    options.mode = mode;
    std::vector<std::string> names;
    const auto reports =
        walk(reader, make_plan(reader.tensors(), recipe()), options,
             [&](const StoredTensor& tensor) { names.push_back(tensor.info.name); });
    std::map<std::string, std::string> codecs;
    for (std::size_t i = 0; i < reports.size(); ++i) {
      EXPECT_EQ(reports[i].info.name, names[i]);
      codecs[names[i]] = reports[i].codec;
    }
    std::vector<std::string> expected;
    for (const TensorInfo& info : reader.tensors()) {
      if (info.name != "q_scale") expected.push_back(info.name);
    }
    EXPECT_EQ(names, expected) << "the order of the file";
    return codecs;
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "in.npz";
  const std::map<std::string, std::string> expected_{
      {"joint.0", "tensorized"}, {"joint.1", "tensorized"}, {"pq", "pq"},      {"pq.tied", "alias"},
      {"faint.0", "int8"},       {"faint.1", "int8"},       {"bias", "plain"}, {"lost", "int8"},
      {"refused", "plain"},      {"large", "pq"},           {"q", "int8"}};
};

TEST_F(WalkTest, ReadsEachTensorOnce) {
  const CountingReader reader(open_weights(input_));
  EXPECT_EQ(codecs(Mode::kEncode, reader), expected_);
  EXPECT_THAT(reader.counts(), testing::Each(1));
}

// Their floats take twice their bytes; see "Memory" in docs/architecture.md.
TEST_F(WalkTest, ReadsLarge16BitTensorsASecondTimeToMeasureThem) {
  const std::vector<TensorInfo> infos{{"large", DType::kF16, {1025, 512}},
                                      {"small", DType::kF16, {1024, 512}}};
  test::write_normal_weights(dir_ / "half.npz", infos, 1);
  const CountingReader reader(open_weights(dir_ / "half.npz"));
  const Recipe pq{.defaults = recipe().defaults};
  const auto reports =
      walk(reader, make_plan(reader.tensors(), pq), {}, [](const StoredTensor&) {});
  EXPECT_THAT(reader.counts(), testing::ElementsAre(2, 1));
  EXPECT_LT(reports[0].distortion->relative_error(), 1);
}

TEST_F(WalkTest, ADryRunDecidesTheSameAndReadsNoMore) {
  const CountingReader reader(open_weights(input_));
  EXPECT_EQ(codecs(Mode::kSize, reader), expected_);
  for (std::size_t i = 0; i < reader.counts().size(); ++i) {
    EXPECT_EQ(reader.counts()[i], reader.tensors()[i].name == "bias" ? 0 : 1)
        << reader.tensors()[i].name;
  }
}

TEST_F(WalkTest, ARunThatKeepsAndOneThatResumesReadEachTensorOnce) {
  const Checkpoint checkpoint(dir_ / "out.h5");
  for (const bool first : {true, false}) {
    const CountingReader reader(open_weights(input_));
    test::CountingObserver observer;
    EXPECT_EQ(codecs(Mode::kEncode, reader,
                     {.observer = &observer, .checkpoint = &checkpoint, .resume = true}),
              expected_);
    EXPECT_THAT(reader.counts(), testing::Each(1));
    EXPECT_EQ(observer.kept.empty(), !first) << "nothing is kept that was taken";
  }
}

TEST_F(WalkTest, ALongRunReadsEachTensorOnceAndKeepsThem) {
  const Checkpoint checkpoint(dir_ / "out.h5");
  const CountingReader reader(open_weights(input_));
  test::CountingObserver observer;
  EXPECT_EQ(
      codecs(Mode::kEncode, reader,
             {.observer = &observer, .checkpoint = &checkpoint, .is_long = [] { return true; }}),
      expected_);
  EXPECT_THAT(reader.counts(), testing::Each(1));
  EXPECT_FALSE(observer.kept.empty());
}

// The bytes are freed when a tensor is finished, the key of what is kept needs them.
TEST_F(WalkTest, ABatchInWhichTheRunBecomesLongIsReadAgain) {
  const Checkpoint checkpoint(dir_ / "out.h5");
  const CountingReader reader(open_weights(input_));
  test::CountingObserver observer;
  int n_asked = 0;
  EXPECT_EQ(codecs(Mode::kEncode, reader,
                   {.observer = &observer,
                    .checkpoint = &checkpoint,
                    .is_long = [&] { return n_asked++ > 0; }}),
            expected_);
  EXPECT_THAT(reader.counts(), testing::Contains(2));
  EXPECT_FALSE(observer.kept.empty());
  test::CountingObserver resumed;
  EXPECT_EQ(codecs(Mode::kEncode, reader,
                   {.observer = &resumed, .checkpoint = &checkpoint, .resume = true}),
            expected_);
  EXPECT_TRUE(resumed.kept.empty()) << "all of it was taken";
}

}  // namespace
}  // namespace pqw
