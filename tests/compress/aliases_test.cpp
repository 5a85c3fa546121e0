// Equal tensors: which are found, and what becomes of their names.
#include "compress/aliases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "codecs/alias.h"
#include "model/archive_tensors.h"
#include "pqw/archive/archive.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/compress/interruption.h"
#include "tests/formats/file_testing.h"
#include "tests/support/errors.h"
#include "tests/support/random_matrix.h"
#include "tests/support/random_tensorized_weight.h"

namespace pqw {
namespace {

using test::content;
using test::read_all;
using test::Tensor;
using test::write_all;
using testing::ElementsAre;
using testing::HasSubstr;

using Found = std::vector<std::optional<std::size_t>>;
constexpr std::nullopt_t kNone = std::nullopt;

// Normal values of a float type.
Tensor normal(const std::string& name, const Shape& shape, unsigned seed,
              DType dtype = DType::kF32) {
  Tensor tensor{{name, dtype, shape}, {}};
  tensor.bytes.resize(byte_count(tensor.info));
  from_float(test::normal_values(element_count(shape), seed, 0, 0.05f), dtype,
             std::as_writable_bytes(std::span(tensor.bytes)));
  return tensor;
}

Tensor renamed(Tensor tensor, const std::string& name) {
  tensor.info.name = name;
  return tensor;
}

Tensor bytes(const std::string& name, std::size_t n) {
  return {{name, DType::kU8, {n}}, std::string(n, 'x')};
}

// For each item: what it is an alias of.
Found find_all(const WeightReader& reader, const std::vector<WorkItem>& plan) {
  Aliases aliases(reader, plan);
  Found found;
  for (const WorkItem& item : plan) {
    Source source(reader, item.tensors.front());
    found.push_back(aliases.find(item, source));
  }
  return found;
}

Found aliases_in(const std::vector<Tensor>& tensors, const Recipe& recipe = {}) {
  const test::TempDir dir;
  write_all(dir / "f.npz", tensors);
  const auto reader = open_weights(dir / "f.npz");
  return find_all(*reader, make_plan(reader->tensors(), recipe));
}

const Tensor kW = normal("w", {64, 32}, 1);

TEST(FindAliases, AreThoseOfTheFirstEqualTensor) {
  const Tensor bias = normal("bias", {64}, 2);
  EXPECT_EQ(aliases_in({kW, bias, renamed(kW, "w2"), normal("v", {64, 32}, 3), renamed(kW, "w3"),
                        renamed(bias, "bias2")}),
            (Found{kNone, kNone, 0, kNone, 0, 1}));
}

TEST(FindAliases, EveryByteTheTypeAndTheShapeCount) {
  Tensor last = renamed(kW, "last"), type = renamed(kW, "type"), shape = renamed(kW, "shape");
  last.bytes.back() = static_cast<char>(last.bytes.back() ^ 1);
  type.info.dtype = DType::kI32;
  shape.info.shape = {32, 64};
  EXPECT_EQ(aliases_in({kW, last, type, shape}), Found(4));
}

// A tensor under several names, of which it counts how often it is read.
class ManyNames : public WeightReader {
 public:
  ManyNames(std::unique_ptr<WeightReader> file, std::size_t n_names) : file_(std::move(file)) {
    for (std::size_t i = 0; i < n_names; ++i) {
      tensors_.push_back(file_->tensors().front());
      tensors_.back().name = std::to_string(i);
    }
  }
  std::size_t stored_as(std::size_t) const override { return 0; }
  std::vector<std::byte> read(std::size_t) const override {
    ++n_read;
    return file_->read(0);
  }

  mutable std::size_t n_read = 0;

 private:
  std::unique_ptr<WeightReader> file_;
};

TEST(FindAliases, NamesOfStoredValuesAreFoundWithoutReadingThemForEach) {
  const test::TempDir dir;
  write_all(dir / "f.npz", {kW});
  const ManyNames reader(open_weights(dir / "f.npz"), 50);
  Found expected(50, 0);
  expected[0] = kNone;
  EXPECT_EQ(find_all(reader, make_plan(reader.tensors(), {})), expected);
  EXPECT_EQ(reader.n_read, 1u);
}

TEST(FindAliases, OnlyWhereTheRecipeTreatsThemAlike) {
  const std::vector<Tensor> tied{kW, renamed(kW, "head")};
  EXPECT_EQ(aliases_in(tied, {.defaults = {{"seed", "1"}}}), (Found{kNone, 0}));
  EXPECT_EQ(aliases_in(tied, {.rules = {{"head", {{"block_size", "4"}}}}}), Found(2));
  EXPECT_EQ(aliases_in(tied, {.rules = {{"head", {{"codec", "plain"}}}}}), Found(2));
  EXPECT_EQ(aliases_in(tied, {.exclude = {"head"}}), Found(2));
  // Both plain, each for another reason.
  EXPECT_EQ(aliases_in(tied, {.rules = {{"head", {{"codec", "plain"}}}}, .exclude = {"w"}}),
            (Found{kNone, 0}));
}

// The preset has more bits for embeddings.
TEST(FindAliases, AHeadMayBeAnAliasOfTheEmbedding) {
  const Tensor table = normal("embedding.weight", {256, 64}, 1);
  EXPECT_EQ(aliases_in({table, renamed(table, "head.weight")}), (Found{kNone, 0}));
}

TEST(FindAliases, LayersOfJointTensorsAreNone) {
  const Recipe recipe{.defaults = {{"codec", "tensorized"}, {"joint", "x"}, {"rank", "0.3"}}};
  EXPECT_EQ(aliases_in({kW, renamed(kW, "head")}, recipe), Found(1)) << "one item";
}

TEST(FindAliases, AdoptedTensorsAreNone) {
  std::vector<Tensor> tensors;
  for (const std::string name : {"a", "b"}) {
    tensors.push_back({{name, DType::kI8, {64, 32}}, std::string(64 * 32, '\5')});
    tensors.push_back({{name + "_scale", DType::kF32, {1}}, std::string("\0\0\x80\x3f", 4)});
  }
  EXPECT_EQ(aliases_in(tensors, {.defaults = {{"codec", "int8"}}}), Found(2));
  EXPECT_EQ(aliases_in(tensors), (Found{kNone, kNone, 0, kNone}));
}

// An alias takes at most 64 bytes more than a plain tensor, and the name.
TEST(FindAliases, OnlyWhereTheyAreNotLarger) {
  const std::string name(10, 'n');
  EXPECT_EQ(aliases_in({bytes(name, 73), bytes("b", 73)}), Found(2));
  EXPECT_EQ(aliases_in({bytes(name, 74), bytes("b", 74)}), (Found{kNone, 0}));
  const std::string longest(128, 'n'), longer(129, 'n');
  EXPECT_EQ(aliases_in({renamed(kW, longest), kW}), (Found{kNone, 0}));
  EXPECT_EQ(aliases_in({renamed(kW, longer), kW, renamed(kW, "x")}), (Found{kNone, kNone, 1}));
}

class AliasFiles : public testing::Test {
 protected:
  void SetUp() override { write_all(input_, tensors_); }
  void TearDown() override { omp_set_num_threads(omp_get_num_procs()); }

  std::string bytes_of(const std::string& path, const std::string& name) const {
    for (const Tensor& tensor : read_all(path)) {
      if (tensor.info.name == name) return tensor.bytes;
    }
    ADD_FAILURE() << path << " has no " << name;
    return "";
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "in.safetensors", archive_ = dir_ / "a.h5";
  const Recipe recipe_{.defaults = {{"centroids", "16"}}};
  // In an order that safetensors keeps.
  const std::vector<Tensor> tensors_{normal("embed.weight", {128, 64}, 1),
                                     normal("fc.bias", {64}, 2),
                                     renamed(normal("", {128, 64}, 1), "head.weight"),
                                     normal("other.weight", {128, 64}, 3),
                                     renamed(normal("", {64}, 2), "norm/bias"),
                                     {{"steps", DType::kI64, {40}}, std::string(320, 's')},
                                     {{"steps2", DType::kI64, {40}}, std::string(320, 's')}};
};

TEST_F(AliasFiles, EveryNameDecodesToTheSameValuesInEveryFormat) {
  compress(input_, archive_, recipe_);
  for (const char* name : {"d.safetensors", "d.npz", "d.h5"}) {
    const std::string path = dir_ / name;
    EXPECT_EQ(decode_archive(archive_, path, "", false), tensors_.size());
    EXPECT_EQ(bytes_of(path, "embed.weight"), bytes_of(path, "head.weight"));
    EXPECT_NE(bytes_of(path, "embed.weight"), bytes_of(path, "other.weight"));
    for (const std::size_t plain : {1u, 4u, 5u, 6u}) {
      EXPECT_EQ(bytes_of(path, tensors_[plain].info.name), tensors_[plain].bytes) << plain;
    }
  }
  const auto decoded = read_all(dir_ / "d.safetensors");
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    EXPECT_EQ(decoded[i].info, tensors_[i].info) << "the order is kept";
  }
}

TEST_F(AliasFiles, ADecodedAliasAloneHasItsValues) {
  compress(input_, archive_, recipe_);
  decode_archive(archive_, dir_ / "one.npy", "^head", false);
  decode_archive(archive_, dir_ / "all.npz", "", false);
  EXPECT_EQ(read_all(dir_ / "one.npy")[0].bytes, bytes_of(dir_ / "all.npz", "embed.weight"));
}

TEST_F(AliasFiles, Hdf5FilesHoldEqualTensorsOnce) {
  compress(input_, archive_, recipe_);
  decode_archive(archive_, dir_ / "d.h5", "", false);
  const std::uintmax_t once = 2 * 128 * 64 * 4 + 64 * 4 + 320;
  EXPECT_LT(std::filesystem::file_size(dir_ / "d.h5"), once + 128 * 64 * 4);
}

TEST_F(AliasFiles, TheReportCountsWhatAnAliasStores) {
  const Report report = compress(input_, archive_, recipe_);
  const TensorReport &target = report.tensors[0], &alias = report.tensors[2];
  EXPECT_EQ(target.codec, "pq");
  EXPECT_EQ(alias.codec, "alias");
  EXPECT_EQ(alias.note, "same as 'embed.weight'");
  EXPECT_EQ(alias.bytes, 12u);
  EXPECT_EQ(alias.n_parameters, 0u);
  EXPECT_TRUE(alias.compressed());
  EXPECT_EQ(alias.distortion->squared_error(), target.distortion->squared_error());
  const double stored = static_cast<double>(target.bytes + report.tensors[3].bytes);
  EXPECT_EQ(report.bits_per_coarse_weight(), 8 * stored / (2 * 128 * 64));
  const TensorReport& plain = report.tensors[4];
  EXPECT_EQ(plain.codec, "alias");
  EXPECT_EQ(plain.note, "same as 'fc.bias'");
  EXPECT_FALSE(plain.compressed()) << "its values are the original ones";
  EXPECT_EQ(report.file_bytes, std::filesystem::file_size(archive_));
  for (const Report& other :
       {inspect(archive_), evaluate(input_, archive_), plan_compression(input_, recipe_)}) {
    EXPECT_EQ(other.file_bytes, report.file_bytes);
    EXPECT_EQ(other.parameters(), report.parameters());
    for (std::size_t i = 0; i < report.tensors.size(); ++i) {
      EXPECT_EQ(other.tensors[i].codec, report.tensors[i].codec);
      EXPECT_EQ(other.tensors[i].bytes, report.tensors[i].bytes);
      EXPECT_EQ(other.tensors[i].compressed(), report.tensors[i].compressed());
    }
    EXPECT_EQ(other.tensors[2].note, alias.note);
  }
  EXPECT_EQ(evaluate(input_, archive_).distortion()->relative_error(),
            report.distortion()->relative_error());
  EXPECT_EQ(verify(archive_), tensors_.size());
}

// Tensors of sizes around the one from which an alias pays, beside those that differ in one byte.
TEST_F(AliasFiles, AreNotLargerThanWithoutAliases) {
  for (std::size_t n = 40; n < 160; n += 3) {
    const Tensor a = bytes("blocks.0.weight", n);
    Tensor differs = bytes("blocks.1.weight", n);
    const auto size = [&](const Tensor& second) {
      write_all(dir_ / "s.npz", {a, second});
      const auto bytes = plan_compression(dir_ / "s.npz", {}).file_bytes;
      std::filesystem::remove(dir_ / "s.npz");
      return bytes;
    };
    const std::uint64_t tied = size(differs);
    differs.bytes[0] = 'y';
    EXPECT_LE(tied, size(differs)) << n;
  }
  // A compressed tensor of one centroid under a long name takes the fewest bytes of all: the name of
  // the target may take more.
  const std::string name(128, 'n');
  Tensor a{{name, DType::kF32, {64, 32}}, std::string(64 * 32 * 4, '\0')};
  Tensor b = renamed(a, "b");
  const auto size = [&] {
    write_all(dir_ / "s.npz", {a, b});
    const Report report = plan_compression(dir_ / "s.npz", {.defaults = {{"codec", "pq"}}});
    std::filesystem::remove(dir_ / "s.npz");
    return std::pair(report.tensors[1].codec, report.file_bytes);
  };
  const auto tied = size();
  EXPECT_EQ(tied.first, "alias");
  const std::string one("\0\0\x80\x3f", 4);
  b.bytes.clear();
  while (b.bytes.size() < a.bytes.size()) b.bytes += one;
  const auto apart = size();
  EXPECT_EQ(apart.first, "pq");
  EXPECT_LE(tied.second, apart.second + name.size());
}

TEST_F(AliasFiles, TheBytesDoNotDependOnThreadsOrInterruptions) {
  compress(input_, archive_, recipe_);
  const std::string whole = content(archive_);
  for (const int threads : {1, 2, 4}) {
    omp_set_num_threads(threads);
    compress(input_, archive_, recipe_, {.overwrite = true});
    EXPECT_TRUE(content(archive_) == whole) << threads;
  }
  // Large ones are batches by themselves.
  const std::vector<Tensor> large{normal("a", {1025, 512}, 1), normal("b", {1025, 512}, 2),
                                  renamed(normal("", {1025, 512}, 1), "a2"),
                                  normal("c", {1025, 512}, 3)};
  const Recipe quick{
      .defaults = {{"centroids", "8"}, {"iterations", "1"}, {"restarts", "1"}, {"init", "random"}}};
  write_all(dir_ / "large.safetensors", large);
  compress(dir_ / "large.safetensors", dir_ / "whole.h5", quick);
  for (const std::size_t most_done : {1, 2, 3}) {
    test::CountingObserver interrupted(most_done);
    EXPECT_THROW(compress(dir_ / "large.safetensors", dir_ / "r.h5", quick,
                          {.overwrite = true, .observer = &interrupted}),
                 test::Interruption);
    compress(dir_ / "large.safetensors", dir_ / "r.h5", quick, {.overwrite = true, .resume = true});
    EXPECT_TRUE(content(dir_ / "r.h5") == content(dir_ / "whole.h5")) << most_done;
  }
}

TEST_F(AliasFiles, LayersLoadThroughAliases) {
  compress(input_, archive_, recipe_);
  const Model model(archive_);
  const Linear target = model.linear("embed.weight"), alias = model.linear("head.weight", "");
  const std::vector<float> x = test::normal_values(64, 5);
  std::vector<float> y(128), z(128);
  target.forward({x.data(), 1, 64}, {y.data(), 1, 128});
  alias.forward({x.data(), 1, 64}, {z.data(), 1, 128});
  EXPECT_EQ(y, z);
  EXPECT_EQ(model.decode("norm/bias"), model.decode("fc.bias"));
  EXPECT_EQ(model.decode("head.weight"), model.decode("embed.weight"));
}

TEST_F(AliasFiles, EveryNameSurvivesJointLayersAndAdoption) {
  compress(input_, archive_,
           {.rules = {{"embed|head", parse_settings("codec=tensorized,rank=0.3,joint=x")}}});
  decode_archive(archive_, dir_ / "joint.npz", "", false);
  EXPECT_EQ(read_all(dir_ / "joint.npz").size(), tensors_.size());

  std::vector<Tensor> int8;
  for (const std::string name : {"a", "b"}) {
    int8.push_back({{name, DType::kI8, {64, 32}}, std::string(64 * 32, '\5')});
    int8.push_back({{name + "_scale", DType::kF32, {1}}, std::string("\0\0\0\x3f", 4)});
  }
  write_all(dir_ / "int8.npz", int8);
  compress(dir_ / "int8.npz", archive_, {.defaults = {{"codec", "int8"}}}, {.overwrite = true});
  decode_archive(archive_, dir_ / "floats.npz", "", false);
  EXPECT_EQ(bytes_of(dir_ / "floats.npz", "a"), bytes_of(dir_ / "floats.npz", "b"));
}

// Archives of aliases made by hand, as another writer or an attacker makes them.
class AliasArchives : public testing::Test {
 protected:
  AliasArchives() : writer_(path_, {}) {
    writer_.add_plain({"plain", DType::kU8, {4}}, test::bytes_of("abcd"));
  }

  void add_alias(const std::string& name, const std::string& target, DType dtype = DType::kU8,
                 const Shape& shape = {4}) {
    writer_.add(alias_record({name, dtype, shape}, target));
  }

  // What becomes of reading the tensor at `index` in every way.
  void expect_corrupt(std::size_t index, const std::string& message) {
    writer_.commit();
    const auto reader = open_decoded(path_);
    const std::string name = reader->tensors()[index].name;
    const Model model(path_);
    for (const std::function<void()>& read :
         {std::function<void()>([&] { (void)reader->read(index); }),
          {[&] { verify(path_); }},
          {[&] { (void)model.weight(name); }},
          {[&] { (void)inspect(path_); }}}) {
      const Error error = test::error_of(read);
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
      EXPECT_EQ(std::string(error.what()), path_ + ": tensor '" + name + "': " + message);
    }
    EXPECT_EQ(reader->read(0).size(), 4u) << "others stay readable";
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "a.h5";
  ArchiveWriter writer_;
};

TEST_F(AliasArchives, OfAMissingTensorAreCorrupt) {
  add_alias("x", "none");
  expect_corrupt(1, "is an alias of tensor 'none', which is missing");
}

TEST_F(AliasArchives, OfAnotherAliasAreCorrupt) {
  add_alias("x", "y");
  add_alias("y", "plain");
  expect_corrupt(1, "is an alias of tensor 'y', which is an alias itself");
}

TEST_F(AliasArchives, OfThemselvesAreCorrupt) {
  add_alias("x", "x");
  expect_corrupt(1, "is an alias of tensor 'x', which is an alias itself");
}

TEST_F(AliasArchives, OfAnotherTypeOrShapeAreCorrupt) {
  add_alias("x", "plain", DType::kI8);
  expect_corrupt(1, "is an alias of tensor 'plain', which has another type, shape or axes");
}

TEST_F(AliasArchives, OfAnotherShapeAreCorrupt) {
  add_alias("x", "plain", DType::kU8, {2, 2});
  expect_corrupt(1, "is an alias of tensor 'plain', which has another type, shape or axes");
}

TEST_F(AliasArchives, MayComeBeforeTheirTensorAndNameALayerOfAJointOne) {
  const TensorizedWeight weight =
      test::random_tensorized_weight({6, 4}, {TensorForm::kCp, {2, 3}, {2, 2}, 2, {3}});
  TensorizedWeight second = weight;
  second.layer = 1;
  const Shape shape = weight.shape;
  add_alias("early", "late");
  writer_.add_plain({"late", DType::kU8, {4}}, test::bytes_of("dcba"));
  writer_.add(to_record(weight, "owner"));
  writer_.add(to_record_sharing(second, "layer", "owner"));
  writer_.add(alias_record({"tied", weight.dtype, shape}, "layer"));
  writer_.commit();
  EXPECT_EQ(verify(path_), 6u);
  const auto reader = open_decoded(path_);
  EXPECT_EQ(test::text_of(reader->read(1)), test::text_of(reader->read(2)));
  EXPECT_EQ(test::text_of(reader->read(5)), test::text_of(reader->read(4)));
  EXPECT_NE(test::text_of(reader->read(5)), test::text_of(reader->read(3)));
}

}  // namespace
}  // namespace pqw
