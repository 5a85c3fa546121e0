// What archives weigh beyond their data, and that it can be foretold.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

#include "pqw/archive/archive.h"
#include "pqw/core/error.h"
#include "tests/archive/samples.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::counting_bytes;

constexpr std::size_t kFileOverhead = 2048;
constexpr std::size_t kPlainOverhead = 64;
constexpr std::size_t kRecordOverhead = 200;

// The tensors of layer i of a transformer.
std::vector<std::string> names_of_layer(std::size_t i) {
  const std::string layer = "model.layers." + std::to_string(i) + ".";
  return {layer + "attention.self.query.weight", layer + "attention.self.key.weight",
          layer + "attention.output.LayerNorm.weight", layer + "intermediate.dense.weight"};
}

class ArchiveOverhead : public ::testing::TestWithParam<std::size_t> {
 protected:
  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.pqw";
};

TEST_P(ArchiveOverhead, OfPlainTensorsIsBounded) {
  // Also of shapes that differ, and of names without a pattern.
  for (const bool regular : {true, false}) {
    std::mt19937 random(1);
    std::uint64_t bytes = 0, n = 0;
    ArchiveWriter writer(path_, {.overwrite = true});
    for (std::size_t layer = 0; layer < GetParam(); ++layer) {
      for (std::string name : names_of_layer(layer)) {
        const Shape shape = regular ? Shape{64} : Shape{1 + random() % 300, 1 + random() % 9};
        if (!regular) name += "_" + std::to_string(random());
        const TensorInfo info{name, DType::kF32, shape};
        bytes += byte_count(info);
        ++n;
        writer.add_plain(info, counting_bytes(byte_count(info)));
      }
    }
    EXPECT_LE(writer.commit(), bytes + n * kPlainOverhead + kFileOverhead);
    EXPECT_EQ(ArchiveReader(path_).entries().size(), n);
  }
}

TEST_P(ArchiveOverhead, OfCompressedTensorsIsBounded) {
  std::mt19937 random(1);
  std::uint64_t bytes = 0, n = 0;
  ArchiveWriter writer(path_, {});
  for (std::size_t layer = 0; layer < GetParam(); ++layer) {
    for (const std::string& name : names_of_layer(layer)) {
      Record record = test::pq_record(name);
      record.info.shape = {1 + random() % 900, 64, 3, 3};
      record.options = "block_size=9,centroids=256,iterations=20,seed=" + std::to_string(random());
      record.sections = {test::section("codebooks", DType::kF16, {1, 256, 9}),
                         test::section("codes", DType::kU8, {100 + random() % 9000}),
                         test::section("row_scales", DType::kU8, {1 + random() % 900})};
      bytes += data_bytes(record);
      ++n;
      writer.add(record);
    }
  }
  EXPECT_LE(writer.commit(), bytes + n * kRecordOverhead + kFileOverhead);
  EXPECT_EQ(ArchiveReader(path_).entries().size(), n);
}

INSTANTIATE_TEST_SUITE_P(Layers, ArchiveOverhead, ::testing::Values(1, 100, 1000),
                         ::testing::PrintToStringParamName());

class RandomTensors {
 public:
  explicit RandomTensors(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }

  Shape shape() {
    Shape shape(below(5));
    for (std::size_t& dim : shape) dim = below(12);
    return shape;
  }
  DType dtype() { return static_cast<DType>(below(15)); }
  std::string name(std::size_t i) {
    static constexpr std::string_view kAlphabet = "abc./%\n\xc3\xa4";
    std::string name = std::to_string(i);
    for (std::size_t n = below(below(10) == 0 ? 2000 : 60); n > 0; --n) {
      name += kAlphabet[below(kAlphabet.size())];
    }
    return name;
  }
  Record record(std::size_t i) {
    Record record{
        {name(i), dtype(), shape()}, "pq", {}, "gain_factor=" + std::string(below(200), '?'), {}};
    for (std::size_t f = below(3); f > 0; --f) record.features.push_back(std::string(f, 'f'));
    for (std::size_t s = below(5); s > 0; --s) {
      const std::string section_name = std::string(1 + below(20), 's') + std::to_string(s);
      Shape large = shape();
      if (below(4) == 0) large = {1 + below(40000)};
      record.sections.push_back(test::section(section_name, dtype(), large));
    }
    for (std::size_t p = below(3); p > 0; --p) {
      record.parts.push_back(test::pq_record(std::string(1 + below(20), 'p') + std::to_string(p)));
      if (below(2) == 0) record.parts.back().parts = {test::pq_record("inner")};
    }
    return record;
  }

 private:
  std::mt19937 random_;
};

void clear_bytes(Record& record) {
  for (Section& section : record.sections) section.bytes.clear();
  for (Record& part : record.parts) clear_bytes(part);
}

TEST(ArchiveSizer, NeedsNoFile) {
  const test::TempDir dir;
  const TensorInfo info{"w", DType::kF32, {1000, 1000}};
  ArchiveWriter writer(dir / "a.h5", {});
  writer.add_plain(info, counting_bytes(byte_count(info)));
  const std::uint64_t expected = writer.commit();
  rlimit files{}, bytes{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &bytes), 0);
  const rlimit no_files{0, files.rlim_max}, no_bytes{0, bytes.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &no_files), 0);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &no_bytes), 0);
  ArchiveSizer sizer({});
  sizer.add_plain(info);
  const std::uint64_t size = sizer.finish();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &bytes), 0);
  EXPECT_EQ(size, expected);
}

TEST(ArchiveSizer, MessagesNameTheArchive) {
  const TensorInfo info{"w", DType::kF32, Shape(33, 1)};
  for (const auto& [sizer, name] :
       {std::pair(std::make_shared<ArchiveSizer>(ArchiveWriterOptions{}), "the archive"),
        std::pair(std::make_shared<ArchiveSizer>(ArchiveWriterOptions{}, "m.h5"), "m.h5")}) {
    try {
      sizer->add_plain(info);
      FAIL() << "33 dimensions were accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.what(),
                name + std::string(": tensor 'w': 33 dimensions, archives hold at most "
                                   "32"));
    }
  }
}

TEST(ArchiveSizer, AgreesWithTheWriterOnRandomTensors) {
  const test::TempDir dir;
  for (unsigned seed = 0; seed < 60; ++seed) {
    RandomTensors random(seed);
    const std::size_t n = random.below(seed % 10 == 0 ? 600 : 20);
    ArchiveWriterOptions options{.overwrite = true};
    if (seed % 3 == 0) options.metadata = {{"key", std::string(random.below(9000), 'v')}};
    ArchiveWriter writer(dir / "a", options);
    ArchiveSizer sizer(options);
    for (std::size_t i = 0; i < n; ++i) {
      Record record = random.record(i);
      if (random.below(2) == 0) {
        const auto bytes = counting_bytes(byte_count(record.info));
        writer.add_plain(record.info, bytes);
        sizer.add_plain(record.info);
      } else {
        writer.add(record);
        clear_bytes(record);
        sizer.add(record);
      }
    }
    EXPECT_EQ(sizer.finish(), writer.commit()) << "seed " << seed;
  }
}

// As options of a dry run differ from those of the run.
TEST(ArchiveSizer, OutcomesDoNotChangeTheSize) {
  const test::TempDir dir;
  std::mt19937 random(1);
  ArchiveWriter writer(dir / "a", {});
  ArchiveSizer sizer({});
  for (int i = 0; i < 100; ++i) {
    Record record = test::pq_record("layer." + std::to_string(i));
    record.options = "d=8,gain_factor=1.0000,gain_limit=none";
    sizer.add(record);
    record.options = "d=8,gain_factor=1." + std::to_string(1000 + random() % 9000) +
                     (i % 3 == 0 ? ",gain_limit=loss" : ",gain_limit=none");
    writer.add(record);
  }
  EXPECT_EQ(sizer.finish(), writer.commit());
}

TEST(ArchiveSizer, WeighsTensorsLargerThanMemoryAndDisk) {
  ArchiveSizer sizer({});
  constexpr std::size_t kTebi = std::size_t{1} << 40;
  sizer.add_plain({"w", DType::kU8, {kTebi}});
  const std::uint64_t bytes = sizer.finish();
  EXPECT_GT(bytes, kTebi);
  EXPECT_LT(bytes, kTebi + kTebi / 2048 + kFileOverhead);  // 32 bytes for each 64 KiB
}

TEST(ArchiveSizer, RefusesWhatTheWriterRefuses) {
  ArchiveSizer sizer({});
  sizer.add_plain({"w", DType::kU8, {1}});
  EXPECT_EQ(test::error_of([&] {
              sizer.add_plain({"w", DType::kU8, {1}});
            }).code(),
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace pqw
