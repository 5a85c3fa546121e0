// What makes the finished tensors of an interrupted run worthless to another one.
#include "compress/checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using Setting = Settings::value_type;

struct Interrupted {
  std::vector<TensorInfo> infos{{"a", DType::kF32, {64, 32}}, {"b", DType::kF32, {64, 32}}};
  std::vector<float> values = test::normal_values(2 * 64 * 32, 1);
  Settings settings{{"codec", "pq"}, {"centroids", "16"}, {"fallback.centroids", "8"}};
  Encoder encoder = this_encoder();
};

// The key of the part of both tensors.
std::string key_of(const Interrupted& run) {
  const test::TempDir dir;
  const auto writer = create_weights(dir / "in.safetensors", run.infos, {});
  auto rest = std::as_bytes(std::span(run.values));
  for (const TensorInfo& info : run.infos) {
    writer->add(rest.first(byte_count(info)));
    rest = rest.subspan(byte_count(info));
  }
  writer->commit();
  const auto reader = open_weights(dir / "in.safetensors");
  const auto plan = make_plan(reader->tensors(), {.defaults = run.settings});
  PartKey key(run.encoder);
  for (const WorkItem& item : plan) {
    std::vector<Source> sources;
    for (const std::size_t i : item.tensors) sources.emplace_back(*reader, i);
    key.add(item, sources);
  }
  return key.finish();
}

std::string key_with(const Setting& setting) {
  Interrupted run;
  run.settings.push_back(setting);
  return key_of(run);
}

TEST(PartKeyTest, IsThatOfAnEqualRun) { EXPECT_EQ(key_of({}), key_of({})); }

TEST(PartKeyTest, DependsOnEveryByteOfTheSource) {
  const std::string key = key_of({});
  for (const std::size_t i : {0, 1000, 2047, 2048, 4095}) {
    Interrupted run;
    run.values[i] = std::nextafter(run.values[i], 9.0f);
    EXPECT_NE(key_of(run), key) << i;
  }
}

TEST(PartKeyTest, DependsOnNamesTypesAndShapes) {
  std::set<std::string> keys{key_of({})};
  Interrupted run;
  run.infos[0].name = "c";
  keys.insert(key_of(run));
  run = {};
  run.infos[1].shape = {32, 64};
  keys.insert(key_of(run));
  run = {};
  run.infos[1].shape = {64, 16, 2};
  keys.insert(key_of(run));
  run = {};
  run.infos[0].dtype = DType::kF16;
  run.infos[0].shape = {64, 64};  // of the same bytes
  keys.insert(key_of(run));
  EXPECT_EQ(keys.size(), 5u);
}

TEST(PartKeyTest, DependsOnEveryOption) {
  const Setting options[] = {{"block_size", "4"},    {"centroids", "17"},
                             {"groups", "2"},        {"iterations", "3"},
                             {"seed", "1"},          {"seed", "2"},
                             {"init", "random"},     {"restarts", "2"},
                             {"explore", "8"},       {"reassign", "farthest"},
                             {"tolerance", "0.5"},   {"codebook", "f32"},
                             {"engine", "faiss"},    {"fallback.centroids", "4"},
                             {"fallback.seed", "3"}, {"non_finite", "plain"}};
  std::set<std::string> keys{key_of({})};
  for (const Setting& option : options) {
    EXPECT_TRUE(keys.insert(key_with(option)).second) << option.first << "=" << option.second;
  }
}

TEST(PartKeyTest, DependsOnVersionAndKernels) {
  const std::string key = key_of({});
  Interrupted run;
  run.encoder.version += ".1";
  EXPECT_NE(key_of(run), key);
  run = {};
  run.encoder.kernels = "abacus";
  EXPECT_NE(key_of(run), key);
  // Nor does what moves from one to the other look the same.
  Interrupted other;
  other.encoder = {run.encoder.version + "a", "bacus"};
  EXPECT_NE(key_of(other), key_of(run));
}

// Other programs and people may have files there.
TEST(Checkpoint, OnlyFilesOfThisProgramAreRemoved) {
  const test::TempDir dir;
  const Checkpoint folder(dir / "out.h5");
  std::filesystem::create_directory(folder.folder());
  const std::string key(64, 'a');
  const std::set<std::string> others{"one.part",
                                     std::string(63, 'a') + ".part",
                                     std::string(65, 'a') + ".part",
                                     std::string(64, 'A') + ".part",
                                     key + ".part.bak",
                                     key,
                                     "notes.txt"};
  for (const std::string& name : others) std::ofstream(folder.folder() + "/" + name) << "x";
  for (const char* ending : {".part", ".part.pqw.tmp"}) {
    std::ofstream(folder.folder() + "/" + key + ending) << "x";
  }
  folder.remove();
  std::set<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.folder())) {
    left.insert(entry.path().filename());
  }
  EXPECT_EQ(left, others);
}

TEST(Checkpoint, ALinkIsNotFollowed) {
  const test::TempDir dir;
  const Checkpoint folder(dir / "out.h5");
  const std::string part = dir / ("other/" + std::string(64, 'a') + ".part");
  std::filesystem::create_directory(dir / "other");
  std::ofstream(part) << "x";
  std::filesystem::create_directory_symlink(dir / "other", folder.folder());
  folder.remove();
  EXPECT_TRUE(std::filesystem::exists(part));
  EXPECT_TRUE(std::filesystem::is_symlink(folder.folder()));
  EXPECT_THROW(folder.save(std::string(64, 'b'), {}), Error);
}

TEST(Checkpoint, HoldsRecordsAndPlainTensorsWithTheirReports) {
  const test::TempDir dir;
  const Checkpoint folder(dir / "out.h5");
  const TensorInfo a{"a", DType::kF32, {0, 4}}, b{"b", DType::kF16, {1, 2}};
  Distortion distortion;
  distortion.add(std::vector<float>{3, 4}, std::vector<float>{3, 5});
  const auto bytes = std::make_shared<const std::vector<std::byte>>(4, std::byte{7});
  const std::vector<StoredTensor> tensors{
      {a,
       Record{a, "low_rank", {}, "", {}},
       {.info = a,
        .codec = "low_rank",
        .settings = "rank=3",
        .note = "kept 9 %",
        .n_parameters = 12,
        .inner_width = 3,
        .distortion = distortion}},
      {b, PlainBytes{bytes}, {.info = b, .note = "would not shrink", .distortion = Distortion()}}};
  folder.save("one", tensors);
  const auto loaded = folder.load("one");
  ASSERT_TRUE(loaded && loaded->size() == 2);
  const TensorReport& first = (*loaded)[0].report;
  EXPECT_EQ(std::get<Record>((*loaded)[0].content).codec, "low_rank");
  EXPECT_EQ(first.settings, "rank=3");
  EXPECT_EQ(first.note, "kept 9 %");
  EXPECT_EQ(first.n_parameters, 12u);
  EXPECT_EQ(first.inner_width, 3u);
  EXPECT_EQ(first.distortion->relative_error(), 0.04);
  const StoredTensor& second = (*loaded)[1];
  EXPECT_EQ(second.info, b);
  EXPECT_EQ(second.report.codec, "plain");
  EXPECT_EQ(second.report.note, "would not shrink");
  EXPECT_EQ(second.report.bytes, 4u);
  EXPECT_EQ(std::get<PlainBytes>(second.content).bytes->at(3), std::byte{7});
}

TEST(Checkpoint, APartOfAnotherKeyIsIgnored) {
  const test::TempDir dir;
  const Checkpoint folder(dir / "out.h5");
  folder.save("one", {});
  EXPECT_TRUE(folder.load("one"));
  EXPECT_FALSE(folder.load("two"));
  // A part under the name of another is refused by what it says itself.
  std::filesystem::copy_file(folder.folder() + "/one.part", folder.folder() + "/two.part");
  EXPECT_FALSE(folder.load("two"));
}

}  // namespace
}  // namespace pqw
