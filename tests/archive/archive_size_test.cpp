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

constexpr std::size_t kFileOverhead = 8192;
constexpr std::size_t kPlainOverhead = 232;
constexpr std::size_t kRecordOverhead = 900;

std::string name_of_40_bytes(std::size_t i) {
  std::string name = "model.layers." + std::to_string(i) + ".attention.";
  name.resize(40, 'w');
  return name;
}

class ArchiveOverhead : public ::testing::TestWithParam<std::size_t> {
 protected:
  ArchiveWriterOptions options() const {
    ArchiveWriterOptions options{.overwrite = true};
    for (std::size_t i = 0; i < GetParam(); ++i) options.names.push_back(name_of_40_bytes(i));
    return options;
  }
  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.pqw";
};

TEST_P(ArchiveOverhead, OfPlainTensorsIsBounded) {
  // In the header of the dataset and outside of it.
  for (const Shape& shape : {Shape{64}, Shape{64, 4, 3, 3}}) {
    const std::size_t bytes = byte_count({"", DType::kF32, shape});
    ArchiveWriter writer(path_, options());
    for (std::size_t i = 0; i < GetParam(); ++i) {
      writer.add_plain({name_of_40_bytes(i), DType::kF32, shape}, counting_bytes(bytes));
    }
    const std::uint64_t size = writer.commit();
    EXPECT_LE(size, GetParam() * (bytes + kPlainOverhead) + kFileOverhead);
    EXPECT_EQ(ArchiveReader(path_).entries().size(), GetParam());
  }
}

TEST_P(ArchiveOverhead, OfCompressedTensorsIsBounded) {
  for (const std::size_t n_codes : {std::size_t{100}, std::size_t{5000}}) {
    Record record = test::pq_record("");
    record.info.shape = {64, 64, 3, 3};
    record.options.assign(120, 'o');
    record.sections = {test::section("codebooks", DType::kF16, {1, 256, 9}),
                       test::section("codes", DType::kU8, {n_codes})};
    ArchiveWriter writer(path_, options());
    for (std::size_t i = 0; i < GetParam(); ++i) {
      record.info.name = name_of_40_bytes(i);
      writer.add(record);
    }
    const std::size_t bytes = 256 * 9 * 2 + n_codes;
    EXPECT_LE(writer.commit(), GetParam() * (bytes + kRecordOverhead) + kFileOverhead);
    EXPECT_EQ(ArchiveReader(path_).entries().size(), GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(Counts, ArchiveOverhead, ::testing::Values(1, 300, 2000),
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
    Record record{{name(i), dtype(), shape()}, "pq", {}, std::string(below(200), 'o'), {}};
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
      EXPECT_EQ(error.what(), name + std::string(": tensor 'w': 33 dimensions; HDF5 holds at most "
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
    if (seed % 2 == 0) options.names.assign(n, std::string(seed % 4 == 0 ? 30 : 0, 'n'));
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

TEST(ArchiveSizer, WeighsTensorsLargerThanMemoryAndDisk) {
  ArchiveSizer sizer({.names = {"w"}});
  constexpr std::size_t kTebi = std::size_t{1} << 40;
  sizer.add_plain({"w", DType::kU8, {kTebi}});
  const std::uint64_t bytes = sizer.finish();
  EXPECT_GT(bytes, kTebi);
  EXPECT_LT(bytes, kTebi + kFileOverhead);
}

TEST(ArchiveSizer, RefusesWhatTheWriterRefuses) {
  ArchiveSizer sizer({});
  sizer.add_plain({"w", DType::kU8, {1}});
  EXPECT_EQ(test::error_of([&] {
              sizer.add_plain({"w", DType::kU8, {1}});
            }).code(),
            ErrorCode::kInvalidArgument);
}

// '/' is escaped by three characters, so both names take 5 bytes in the tables.
TEST(ArchiveSizer, CountsEscapesOfAnnouncedNames) {
  const auto size_with = [](const std::string& announced) {
    ArchiveSizer sizer({.names = std::vector<std::string>(20, announced)});
    return sizer.finish();
  };
  EXPECT_EQ(size_with("a/b"), size_with("abcde"));
  EXPECT_LT(size_with("abc"), size_with("a/b"));
}

}  // namespace
}  // namespace pqw
