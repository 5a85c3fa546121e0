// Weights that other programs product-quantized, from their files to archives.
#include "pqw/pipeline/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>

#include "pqw/archive/archive.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/pickle_building.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"
#include "tests/support/without_layout.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Integers = std::vector<std::int64_t>;

struct Tensor {
  TensorInfo info;
  std::vector<std::byte> bytes;
};

Tensor floats(const std::string& name, DType dtype, Shape shape, const std::vector<float>& values) {
  Tensor tensor{{name, dtype, std::move(shape)}, {}};
  tensor.bytes.resize(byte_count(tensor.info));
  from_float(values, dtype, tensor.bytes);
  return tensor;
}

// Little-endian, cut to the size of the type.
Tensor integers(const std::string& name, DType dtype, Shape shape, const Integers& values) {
  Tensor tensor{{name, dtype, std::move(shape)}, {}};
  for (const std::int64_t value : values) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    tensor.bytes.insert(tensor.bytes.end(), bytes, bytes + size_in_bytes(dtype));
  }
  return tensor;
}

// Values that are exact in F16.
std::vector<float> halves(std::size_t n, unsigned seed) {
  std::vector<float> values = test::normal_values(n, seed);
  for (float& value : values) value = f16_to_float(float_to_f16(value));
  return values;
}

Integers random_codes(std::size_t n, std::int64_t least, std::int64_t most, unsigned seed) {
  std::mt19937 random(seed);
  Integers codes(n);
  for (auto& code : codes) {
    code = least + static_cast<std::int64_t>(random() % static_cast<unsigned>(most - least + 1));
  }
  return codes;
}

// kill-the-bits and fairseq cut the columns of [out, in*k*k] into blocks, and lay these under one
// another: assignment b * out + r is the block b of output r.
std::vector<float> ipq_reference(const std::vector<float>& centroids, std::size_t d,
                                 const Integers& assignments, std::size_t n_out) {
  std::vector<float> weight(assignments.size() * d);
  const std::size_t n_blocks = assignments.size() / n_out;
  for (std::size_t r = 0; r < n_out; ++r) {
    for (std::size_t b = 0; b < n_blocks; ++b) {
      for (std::size_t i = 0; i < d; ++i) {
        const auto k = static_cast<std::size_t>(assignments[b * n_out + r]);
        weight[r * n_blocks * d + b * d + i] = centroids[k * d + i];
      }
    }
  }
  return weight;
}

// AQLM: codes [out][in / d], modulo 2^bits, scales [out]; rounded to F16 once.
std::vector<float> aqlm_reference(const std::vector<float>& codebook, std::size_t d,
                                  const Integers& codes, const std::vector<float>& scales) {
  std::vector<float> weight(codes.size() * d);
  const auto k = static_cast<std::int64_t>(codebook.size() / d);
  for (std::size_t j = 0; j < codes.size(); ++j) {
    for (std::size_t i = 0; i < d; ++i) {
      const auto code = static_cast<std::size_t>((codes[j] + k) % k);
      const double scale = scales[j / (codes.size() / scales.size())];
      const double exact = scale * codebook[code * d + i];
      weight[j * d + i] = f16_to_float(float_to_f16(static_cast<float>(exact)));
    }
  }
  return weight;
}

class ImportTest : public testing::Test {
 protected:
  static void write(const std::string& path, const std::vector<Tensor>& tensors,
                    const Metadata& metadata = {}) {
    std::vector<TensorInfo> infos;
    for (const Tensor& tensor : tensors) infos.push_back(tensor.info);
    const auto writer = create_weights(path, infos, metadata, {.overwrite = true});
    for (const Tensor& tensor : tensors) writer->add(tensor.bytes);
    writer->commit();
  }

  Imported import(const std::vector<Tensor>& tensors, ImportOptions options = {}) const {
    write(input_, tensors);
    options.overwrite = true;
    const Imported imported = import_weights(input_, archive_, options);
    EXPECT_EQ(verify(archive_), imported.report.tensors.size());
    EXPECT_EQ(inspect(archive_).tensors.size(), imported.report.tensors.size());
    return imported;
  }

  // In the type of the tensor, as a decoded file has it.
  std::vector<float> decoded(const std::string& name) const {
    const Model model(archive_);
    const TensorInfo& info = model.tensors()[model.find(name).value()];
    std::vector<float> values(element_count(info.shape));
    to_float(model.read(name), info.dtype, values);
    return values;
  }

  Error error(const std::vector<Tensor>& tensors, const ImportOptions& options = {}) const {
    write(input_, tensors);
    std::filesystem::remove(archive_);
    Error found = test::error_of([&] { import_weights(input_, archive_, options); });
    EXPECT_FALSE(std::filesystem::exists(archive_));
    return found;
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "net.safetensors";
  const std::string archive_ = dir_ / "net.h5";
};

// By hand: row 0 has the codes 0 and 2, row 1 the codes 1 and 0.
TEST_F(ImportTest, AssignmentsCountOutputsFirst) {
  import({floats("fc.centroids", DType::kF16, {3, 2}, {1, 2, 3, 4, 5, 6}),
          integers("fc.assignments", DType::kU8, {4}, {0, 1, 2, 0})},
         {.shapes = {
           { "fc.weight",
             { 2,
               4 } }
         }});
  EXPECT_THAT(decoded("fc.weight"), ElementsAre(1, 2, 5, 6, 3, 4, 1, 2));
}

TEST_F(ImportTest, TakesOverEveryTypeBitForBit) {
  for (const DType centroid_type : {DType::kF16, DType::kF32, DType::kBF16}) {
    for (const DType code_type : {DType::kU8, DType::kI16, DType::kI32, DType::kI64}) {
      const std::size_t k = code_type == DType::kU8 ? 256 : 700, d = 9;
      Tensor centroids =
          floats("a.b.centroids", centroid_type, {k, d}, test::normal_values(k * d, 1));
      std::vector<float> values(k * d);
      to_float(centroids.bytes, centroid_type, values);
      const Integers codes = random_codes(16 * 4, 0, static_cast<std::int64_t>(k) - 1, 2);
      const Imported imported =
          import({centroids, integers("a.b.assignments", code_type, {64}, codes)},
                 {.shapes = {{"a.b.weight", {16, 4, 3, 3}}}});
      ASSERT_EQ(imported.report.tensors.size(), 1u);
      EXPECT_EQ(imported.report.tensors[0].info,
                (TensorInfo{"a.b.weight", centroid_type, {16, 4, 3, 3}, {}, {Kind::kConv}}));
      EXPECT_EQ(Model(archive_).tensors()[0], imported.report.tensors[0].info);
      EXPECT_EQ(decoded("a.b.weight"), ipq_reference(values, d, codes, 16));
      const PqWeight stored = std::get<PqWeight>(Model(archive_).weight("a.b.weight"));
      if (centroid_type != DType::kBF16) {
        EXPECT_EQ(stored.codebooks, values);
      }
      EXPECT_EQ(stored.codebook_dtype, centroid_type == DType::kF32 ? DType::kF32 : DType::kF16);
    }
  }
}

TEST_F(ImportTest, CentroidsThatAreExactInF16TakeHalfTheSpace) {
  const auto values = halves(4 * 2, 1);
  import({floats("x.centroids", DType::kF32, {4, 2}, values),
          integers("x.assignments", DType::kI64, {6}, {3, 1, 0, 2, 3, 3})},
         {.shapes = {
           { "x.weight",
             { 3,
               4 } }
         }});
  EXPECT_EQ(ArchiveReader(archive_).read(0).find("codebooks")->dtype, DType::kF16);
  EXPECT_EQ(decoded("x.weight"), ipq_reference(values, 2, {3, 1, 0, 2, 3, 3}, 3));
  EXPECT_EQ(Model(archive_).tensors()[0].dtype, DType::kF32);
}

// Layers as kill-the-bits saves them: convolutions have no bias, the classifier's is on its own.
class KillTheBits : public ImportTest {
 protected:
  std::vector<Tensor> network() const {
    return {floats("conv1.weight", DType::kF32, {4, 3, 3, 3}, test::normal_values(108, 1)),
            floats("bn1.weight", DType::kF32, {4}, {1, 2, 3, 4}),
            floats("bn1.bias", DType::kF32, {4}, {5, 6, 7, 8}),
            floats("layer1.conv1.centroids", DType::kF16, {16, 9}, centroids_),
            integers("layer1.conv1.assignments", DType::kU8, {24}, codes_),
            floats("fc.centroids", DType::kF16, {8, 2}, halves(16, 3)),
            integers("fc.assignments", DType::kI16, {6}, {7, 0, 1, 2, 3, 4}),
            floats("fc_bias.bias", DType::kF32, {3}, {1, -1, 0.5f})};
  }

  void write_original() const {
    const auto zeros = [](const std::string& name, Shape shape) {
      const std::size_t n = element_count(shape);
      return floats(name, DType::kF32, std::move(shape), std::vector<float>(n));
    };
    write(original_, {zeros("conv1.weight", {4, 3, 3, 3}), zeros("bn1.weight", {4}),
                      zeros("bn1.bias", {4}), zeros("bn1.running_mean", {4}),
                      zeros("bn1.running_var", {4}), zeros("layer1.conv1.weight", {6, 4, 3, 3}),
                      zeros("fc.weight", {3, 4}), zeros("fc.bias", {3})});
  }

  const std::string original_ = dir_ / "original.npz";
  const std::vector<float> centroids_ = halves(16 * 9, 2);
  const Integers codes_ = random_codes(24, 0, 15, 4);
};

TEST_F(KillTheBits, ATemplateTellsShapesAndTypes) {
  write_original();
  const Imported imported = import(network(), {.original = original_});
  EXPECT_EQ(decoded("layer1.conv1.weight"), ipq_reference(centroids_, 9, codes_, 6));
  const std::vector<TensorInfo> tensors = Model(archive_).tensors();
  ASSERT_EQ(tensors.size(), 6u);
  EXPECT_EQ(tensors[3],
            (TensorInfo{"layer1.conv1.weight", DType::kF32, {6, 4, 3, 3}, {}, {Kind::kConv}}));
  EXPECT_EQ(tensors[4], (TensorInfo{"fc.weight", DType::kF32, {3, 4}, {}, {Kind::kLinear}}));
  EXPECT_EQ(tensors[5].name, "fc.bias");
  EXPECT_THAT(decoded("fc.bias"), ElementsAre(1, -1, 0.5f));
  EXPECT_EQ(decoded("conv1.weight"), test::normal_values(108, 1)) << "plain";
  EXPECT_THAT(imported.missing, ElementsAre("bn1.running_mean", "bn1.running_var"));
  EXPECT_EQ(imported.report.tensors[3].codec, "pq");
  EXPECT_THAT(imported.report.tensors[3].settings, HasSubstr("block_size=9,centroids=16"));
  EXPECT_EQ(imported.report.file_bytes, std::filesystem::file_size(archive_));
}

// As its quantize.py saves a network: a dict for each layer, with numbers beside the tensors.
TEST_F(KillTheBits, ReadsPyTorchFiles) {
  using test::py_dict;
  using test::whole_tensor;
  const auto text_of = [](const std::vector<std::byte>& bytes) {
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const std::string layer = py_dict({{"centroids", whole_tensor("0", {16, 9}, "Half").value()},
                                     {"assignments", whole_tensor("1", {24}, "Byte").value()},
                                     {"n_blocks", test::py_int(4)},
                                     {"is_conv", test::kPyTrue},
                                     {"k", test::py_int(3)}});
  const std::string bias = py_dict({{"bias", whole_tensor("2", {3}).value()}});
  const std::vector<Tensor> tensors = network();
  const std::string path = dir_ / "state_dict_compressed.pth";
  test::set_content(path, test::torch_zip(py_dict({{"layer1.conv1", layer}, {"fc_bias", bias}}),
                                          {{"0", text_of(tensors[3].bytes)},
                                           {"1", text_of(tensors[4].bytes)},
                                           {"2", text_of(tensors[7].bytes)}}));
  const Imported imported =
      import_weights(path, archive_, {.shapes = {{"layer1.conv1.weight", {6, 4, 3, 3}}}});
  EXPECT_EQ(imported.report.skipped.size(), 3u);
  EXPECT_EQ(decoded("layer1.conv1.weight"), ipq_reference(centroids_, 9, codes_, 6));
  EXPECT_THAT(decoded("fc_bias.bias"), ElementsAre(1, -1, 0.5f)) << "fc is not imported";
}

TEST_F(KillTheBits, StatisticsOfBatchNormalisationAreMissed) {
  const ImportOptions options{
      .shapes = {{"layer1.conv1.weight", {6, 4, 3, 3}}, {"fc.weight", {3, 4}}}};
  std::vector<Tensor> tensors = network();
  EXPECT_THAT(import(tensors, options).missing, ElementsAre("bn1.running_mean", "bn1.running_var"));
  tensors.push_back(floats("bn1.running_mean", DType::kF32, {4}, {0, 0, 0, 0}));
  EXPECT_THAT(import(tensors, options).missing, ElementsAre("bn1.running_var"));
  tensors.push_back(floats("bn1.running_var", DType::kF32, {4}, {1, 1, 1, 1}));
  EXPECT_THAT(import(tensors, options).missing, IsEmpty());
}

TEST_F(KillTheBits, ShapesThatNothingTellsAreAskedFor) {
  const Error unknown = error(network());
  EXPECT_EQ(unknown.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(unknown.what(),
              HasSubstr("net.safetensors: tensor 'layer1.conv1.weight': the file does not tell its "
                        "shape (24 codes of 9 weights)"));
  const auto with_shape = [&](Shape shape) {
    return std::string(
        error(network(), {.shapes = {{"layer1.conv1.weight", std::move(shape)}}}).what());
  };
  EXPECT_THAT(with_shape({6, 4, 3, 4}),
              HasSubstr("rows of 48 weights, expected a multiple of the"));
  EXPECT_THAT(with_shape({6, 5, 3, 3}),
              HasSubstr("30 blocks of 9 weights, but there are 24 codes"));
  EXPECT_THAT(with_shape({216}), HasSubstr("expected a rank of 2 or more"));
  EXPECT_THAT(with_shape({0, 9}), HasSubstr("0 blocks"));
  EXPECT_THAT(error(network(), {.shapes = {{"layer1.conv1", {1, 9}}}}).what(),
              HasSubstr("a shape is given for 'layer1.conv1', but the file has no codes of it; did "
                        "you mean 'layer1.conv1.weight'?"));
}

TEST_F(ImportTest, OfFairseqTakesTheRowsFromTheBiasAndLeavesCountsOut) {
  const auto centroids = test::normal_values(5 * 4, 1);
  const Integers codes = random_codes(3 * 2, 0, 4, 2);
  write(input_, {});
  const Imported imported = import({floats("fc1.centroids", DType::kF32, {5, 4}, centroids),
                                    integers("fc1.assignments", DType::kI64, {6}, codes),
                                    floats("fc1.counts", DType::kF32, {5}, {1, 1, 1, 1, 2}),
                                    floats("fc1.bias", DType::kF32, {3}, {1, 2, 3}),
                                    floats("norm.weight", DType::kF32, {3}, {1, 2, 3}),
                                    floats("norm.bias", DType::kF32, {3}, {1, 2, 3})});
  ASSERT_EQ(imported.report.tensors.size(), 4u);
  EXPECT_EQ(imported.report.tensors[0].info,
            (TensorInfo{"fc1.weight", DType::kF32, {3, 8}, {}, {Kind::kLinear}}));
  EXPECT_THAT(imported.report.tensors[0].note, HasSubstr("shape by its bias"));
  EXPECT_EQ(decoded("fc1.weight"), ipq_reference(centroids, 4, codes, 3));
  EXPECT_THAT(imported.missing, IsEmpty()) << "layer normalisation has no statistics";
}

TEST_F(ImportTest, OfAqlmTakesCodesModuloTheCentroids) {
  const std::size_t out = 6, in = 32, d = 8;
  const auto scales = halves(out, 5);
  std::vector<float> positive;
  for (const float scale : scales) positive.push_back(std::abs(scale));
  struct Case {
    DType type;
    std::int64_t k;
  };
  for (const auto& [type, k] : {Case{DType::kI8, 256}, Case{DType::kI8, 16},
                                Case{DType::kI16, 4096}, Case{DType::kI16, 65536}}) {
    const auto n = static_cast<std::size_t>(k);
    const auto codebook = halves(n * d, 1);
    const Integers codes = random_codes(out * in / d, -k / 2, k / 2 - 1, 2);
    const Tensor stored_codes = integers("q.codes", type, {out, in / d, 1}, codes);
    const Tensor codebooks = floats("q.codebooks", DType::kF16, {1, n, 1, d}, codebook);
    const Imported imported = import(
        {stored_codes, codebooks, floats("q.scales", DType::kF16, {out, 1, 1, 1}, positive)});
    EXPECT_EQ(imported.report.tensors[0].info,
              (TensorInfo{"q.weight", DType::kF16, {out, in}, {}, {Kind::kLinear}}));
    EXPECT_EQ(decoded("q.weight"), aqlm_reference(codebook, d, codes, positive)) << k;
    EXPECT_EQ(std::get<PqWeight>(Model(archive_).weight("q.weight")).codebooks, codebook);
    import({stored_codes, codebooks});
    EXPECT_EQ(decoded("q.weight"), aqlm_reference(codebook, d, codes, std::vector<float>(out, 1)));
  }
}

TEST_F(ImportTest, EqualTensorsAreStoredOnce) {
  const auto centroids = halves(64 * 4, 1);
  const Integers codes = random_codes(32 * 4, 0, 63, 2);
  std::vector<Tensor> tensors;
  for (const std::string name : {"in", "out"}) {
    tensors.push_back(floats(name + ".centroids", DType::kF16, {64, 4}, centroids));
    tensors.push_back(integers(name + ".assignments", DType::kI64, {128}, codes));
    tensors.push_back(floats(name + ".table", DType::kF32, {8, 8}, test::normal_values(64, 1)));
  }
  const Imported imported =
      import(tensors, {.shapes = {{"in.weight", {32, 16}}, {"out.weight", {32, 16}}}});
  ASSERT_EQ(imported.report.tensors.size(), 4u);
  EXPECT_EQ(imported.report.tensors[2].note, "same as 'in.weight'");
  EXPECT_EQ(imported.report.tensors[3].note, "same as 'in.table'");
  EXPECT_EQ(decoded("out.weight"), ipq_reference(centroids, 4, codes, 32));
  EXPECT_EQ(decoded("out.table"), test::normal_values(64, 1));
  import(tensors, {.shapes = { {"in.weight", { 32, 16 }}, { "out.weight", { 64, 8 } } }});
  EXPECT_EQ(decoded("out.weight"), ipq_reference(centroids, 4, codes, 64)) << "another shape";
}

TEST_F(ImportTest, CarriesOtherTensorsAndMetadata) {
  const Tensor packed{{"packed", DType::kF8E4M3, {3}}, {std::byte{1}, std::byte{2}, std::byte{3}}};
  const std::vector<Tensor> tensors = {floats("x.centroids", DType::kF16, {2, 2}, {1, 2, 3, 4}),
                                       integers("x.assignments", DType::kU8, {2}, {1, 0}), packed,
                                       integers("steps", DType::kI64, {}, {7}),
                                       floats("counts", DType::kF32, {2}, {1, 1})};
  write(input_, tensors, {{"format", "pt"}});
  import_weights(input_, archive_, {.shapes = {{"x.weight", {2, 2}}}});
  const Model model(archive_);
  ASSERT_EQ(model.tensors().size(), 4u);
  EXPECT_EQ(test::without_layout(model.tensors()[*model.find("packed")]), packed.info);
  EXPECT_EQ(model.read("packed"), packed.bytes);
  EXPECT_EQ(model.read("steps"), tensors[3].bytes);
  EXPECT_EQ(ArchiveReader(archive_).metadata().at("format"), "pt");
}

TEST_F(ImportTest, DamagedArraysAreNamed) {
  const std::vector<Tensor> good = {
      floats("x.centroids", DType::kF32, {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}),
      integers("x.assignments", DType::kI64, {6}, {0, 1, 2, 3, 0, 1}),
      integers("q.codes", DType::kI8, {2, 3, 1}, {0, 1, -1, -2, 0, 1}),
      floats("q.codebooks", DType::kF16, {1, 4, 1, 2}, {1, 2, 3, 4, 5, 6, 7, 8}),
      floats("q.scales", DType::kF16, {2, 1, 1, 1}, {1, 2})};
  const ImportOptions options{.shapes = {{"x.weight", {3, 4}}}};
  import(good, options);
  struct Case {
    std::size_t tensor;
    Tensor replacement;  // without a name: the tensor is missing
    const char* message;
  };
  const float inf = std::numeric_limits<float>::infinity();
  const std::string a = "x.assignments", c = "x.centroids", q = "q.codes", b = "q.codebooks",
                    s = "q.scales";
  const std::vector<Case> cases = {
      {1, integers(a, DType::kI64, {6}, {0, 1, 2, 4, 0, 1}),
       "'x.assignments': code 3 is 4, expected 0 to 3: there are 4 centroids"},
      {1, integers(a, DType::kI64, {6}, {0, 1, -1, 3, 0, 1}), "code 2 is -1, expected 0 to 3"},
      {1, integers(a, DType::kI64, {6}, {0, 1, std::int64_t{1} << 32, 3, 0, 1}),
       "code 2 is 4294967296"},
      {1, integers(a, DType::kI64, {5}, {0, 1, 2, 3, 0}), "6 blocks of 2 weights, but there are 5"},
      {1, integers(a, DType::kI64, {0}, {}), "'x.assignments': the tensor has no codes"},
      {1, integers(a, DType::kI64, {3, 2}, {0, 1, 2, 3, 0, 1}),
       "I64 of shape [3, 2], expected integers (I8, U8, I16, U16, I32, U32 or I64) of rank 1"},
      {1, floats(a, DType::kF32, {6}, {0, 1, 2, 3, 0, 1}), "F32 of shape [6], expected integers"},
      {1, {}, "'x.centroids': the file has no 'x.assignments', which belongs to it"},
      {0, {}, "'x.assignments': the file has no 'x.centroids', which belongs to it"},
      {0, floats(c, DType::kF32, {4, 2}, {1, 2, 3, inf, 5, 6, 7, 8}),
       "'x.centroids': element 3 is inf, expected finite numbers"},
      {0, floats(c, DType::kF32, {8}, {1, 2, 3, 4, 5, 6, 7, 8}),
       "expected F32, F16 or BF16 of shape"},
      {0, floats(c, DType::kF64, {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}),
       "F64 of shape [4, 2], expected"},
      {0, floats(c, DType::kF32, {4, 0}, {}), "shape [4, 0] has no centroids"},
      {0, floats(c, DType::kF16, {65537, 1}, std::vector<float>(65537)), "65537 centroids"},
      {2, integers(q, DType::kI8, {2, 3, 1}, {0, 1, -3, -2, 0, 1}),
       "code 2 is -3, expected -2 to 3"},
      {2, integers(q, DType::kI8, {2, 3, 1}, {0, 1, 4, -2, 0, 1}), "code 2 is 4, expected -2 to 3"},
      {2, integers(q, DType::kI8, {6}, {0, 1, -1, -2, 0, 1}), "I8 of shape [6], expected integers"},
      {2, integers(q, DType::kI8, {1, 3, 2}, {0, 1, -1, -2, 0, 1}), "has codes of 2 codebooks"},
      {2, {}, "'q.codebooks': the file has no 'q.codes', which belongs to it"},
      {3, {}, "'q.codes': the file has no 'q.codebooks', which belongs to it"},
      {3, floats(b, DType::kF16, {1, 3, 1, 2}, {1, 2, 3, 4, 5, 6}),
       "3 centroids, expected a power"},
      {3, floats(b, DType::kF16, {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8}),
       "F16 of shape [4, 2], expected"},
      {4, floats(s, DType::kF16, {3, 1, 1, 1}, {1, 2, 3}),
       "expected F32, F16 or BF16 of shape [2, "},
      {4, floats(s, DType::kF16, {2, 1, 1, 1}, {1, -2}),
       "'q.scales': element 1 is -2; scales of rows"},
      {4, floats(s, DType::kF32, {2, 1, 1, 1}, {0.1f, 2}),
       "element 0 is 0.1; scales of rows are 0 or"},
      {4, floats(s, DType::kF16, {2, 1, 1, 1}, {1, inf}), "element 1 is inf, expected finite"},
      {4, floats("q.weight", DType::kF16, {2, 6}, std::vector<float>(12)),
       "'q.weight': the file has both the tensor and codes of it"}};
  for (const Case& broken : cases) {
    std::vector<Tensor> tensors = good;
    const auto at = tensors.begin() + static_cast<std::ptrdiff_t>(broken.tensor);
    if (broken.replacement.info.name.empty()) {
      tensors.erase(at);
    } else {
      *at = broken.replacement;
    }
    EXPECT_THAT(error(tensors, options).what(), HasSubstr(broken.message));
  }
}

// Row 0 has the codes (0, 1) and (1, 0), row 1 (1, 1) and (-1 = 1, 0).
TEST_F(ImportTest, OfAqlmAddsTheCentroidsOfSeveralCodebooks) {
  import({integers("q.codes", DType::kI8, {2, 2, 2}, {0, 1, 1, 0, 1, 1, -1, 0}),
          floats("q.codebooks", DType::kF16, {2, 2, 1, 1}, {1, 2, 10, 20}),
          floats("q.scales", DType::kF16, {2, 1, 1, 1}, {1, 0.5f})});
  EXPECT_EQ(decoded("q.weight"), (std::vector<float>{21, 12, 11, 6}));
}

// Exports of archives have scales that are not exact in F16: 2^(1/16) is the byte 240 of kLog8.
TEST_F(ImportTest, OfAqlmTakesScalesOfExportsAsBytes) {
  const float root = 0x1.0b5586p0f;
  import({integers("q.codes", DType::kI8, {2, 1, 1}, {0, 1}),
          floats("q.codebooks", DType::kF32, {1, 2, 1, 2}, {1, 2, 4, 8}),
          floats("q.scales", DType::kF32, {2, 1, 1, 1}, {root, 0})});
  EXPECT_EQ(decoded("q.weight"), (std::vector<float>{root, 2 * root, 0, 0}));
  EXPECT_EQ(ArchiveReader(archive_).read(0).find("row_scales")->bytes,
            (std::vector<std::byte>{std::byte{240}, std::byte{0}}));
}

TEST_F(ImportTest, ManyCodebooksAndBlocksOfSeveralRowsAreNotExpressible) {
  const Error additive =
      error({integers("q.codes", DType::kI8, {1, 1, 5}, {0, 1, 0, 1, 0}),
             floats("q.codebooks", DType::kF16, {5, 2, 1, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})});
  EXPECT_EQ(additive.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(additive.what(), HasSubstr("'q.codebooks': 5 codebooks, whose centroids are added"));
  const Error tall = error({integers("q.codes", DType::kI8, {1, 1, 1}, {0}),
                            floats("q.codebooks", DType::kF16, {1, 2, 2, 1}, {1, 2, 3, 4})});
  EXPECT_EQ(tall.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(tall.what(), HasSubstr("out_group_size 2; a block of a pq weight lies in one row"));
}

TEST_F(ImportTest, RefusesFilesWithoutCodesAndOutputsThatReplaceInputs) {
  const std::vector<Tensor> full = {floats("fc.weight", DType::kF32, {2, 2}, {1, 2, 3, 4})};
  EXPECT_THAT(error(full).what(), HasSubstr("net.safetensors: holds no codes: expected tensors"));
  const std::string before = test::content(input_);
  EXPECT_EQ(test::error_of([&] { import_weights(input_, input_, {.overwrite = true}); }).code(),
            ErrorCode::kInvalidArgument);
  test::set_content(archive_, "the original");
  const ImportOptions replacing{.original = archive_, .overwrite = true};
  EXPECT_EQ(test::error_of([&] { import_weights(input_, archive_, replacing); }).code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(test::content(archive_), "the original");
  EXPECT_THAT(test::error_of([&] { import_weights(input_, dir_ / "x.npz"); }).what(),
              HasSubstr("expected the extension .h5"));
  EXPECT_EQ(test::content(input_), before);
}

}  // namespace
}  // namespace pqw
