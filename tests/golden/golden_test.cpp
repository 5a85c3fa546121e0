// The archives of tests/golden, written by the first release of each version and feature of the
// format, still decode and serve as they did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "model/archive_tensors.h"
#include "pqw/archive/archive.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/errors.h"
#include "tests/support/reference.h"
#include "tests/support/without_layout.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// How far floats may be from the expected ones, as ‖difference‖ / ‖expected‖.
enum class Sums {
  kExact,    // not at all: all products and sums are exact in float32, in any order
  kRounded,  // as sums of floats in another order
};
constexpr double kRounding = 2e-6;  // up to 6e-7 with the instruction sets that wrote version 1

struct Golden {
  std::string name;  // NAME.h5, NAME.decoded.safetensors
  Sums products = Sums::kExact;
  Sums decoding = Sums::kExact;
  bool served = false;  // NAME.served.safetensors
  std::string folder = "v1";
  bool is_version2 = false;  // NAME.h5 is in v2, and holds the same tensors
};

const std::vector<Golden> kVersion1 = {
    {"example"},
    {"exact_int8", Sums::kExact, Sums::kExact, true},
    {"exact_joint"},
    {"exact_low_rank", Sums::kExact, Sums::kExact, true},
    {"exact_pq", Sums::kExact, Sums::kExact, true},
    {"exact_tensorized"},
    {"int8", Sums::kRounded, Sums::kExact, true},
    {"int8_adopted", Sums::kRounded, Sums::kExact, true},
    {"joint", Sums::kRounded, Sums::kRounded},
    {"low_rank", Sums::kRounded, Sums::kExact, true},
    {"names"},
    {"none"},
    {"plain"},
    {"pq", Sums::kRounded, Sums::kExact, true},
    {"tensorized", Sums::kRounded, Sums::kRounded},
    {.name = "row_scales", .products = Sums::kRounded, .folder = "row_scales"}};

std::vector<Golden> of_all_versions() {
  std::vector<Golden> archives = kVersion1;
  for (Golden golden : kVersion1) {
    golden.is_version2 = true;
    archives.push_back(golden);
  }
  archives.push_back({.name = "additive", .products = Sums::kRounded, .folder = "additive"});
  archives.push_back({.name = "tcq", .products = Sums::kRounded, .folder = "tcq"});
  archives.push_back(
      {.name = "entropy_coded", .products = Sums::kRounded, .folder = "entropy_coded"});
  return archives;
}
const std::vector<Golden> kArchives = of_all_versions();

std::string file(const std::string& name, const std::string& folder = "v1") {
  return std::string(PQW_GOLDEN) + "/" + folder + "/" + name;
}
std::string archive_of(const Golden& golden) {
  return file(golden.name + ".h5", golden.is_version2 ? "v2" : golden.folder);
}
std::string decoded_of(const Golden& golden) {
  return file(golden.name + ".decoded.safetensors", golden.folder);
}
std::string served_of(const Golden& golden) {
  return file(golden.name + ".served.safetensors", golden.folder);
}

struct Tensor {
  TensorInfo info;
  std::vector<std::byte> bytes;

  std::vector<float> floats() const {
    std::vector<float> values(element_count(info.shape));
    to_float(bytes, info.dtype, values);
    return values;
  }
};

std::map<std::string, Tensor> tensors_of(const WeightReader& reader) {
  std::map<std::string, Tensor> tensors;
  for (std::size_t i = 0; i < reader.tensors().size(); ++i) {
    const TensorInfo& info = reader.tensors()[i];
    tensors[info.name] = {info, reader.read(i)};
  }
  return tensors;
}

// Row b of the inputs; as in make.py and make.cpp.txt.
std::vector<float> inputs(std::size_t batch, std::size_t n_columns) {
  std::vector<float> x(batch * n_columns);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t b = i / n_columns, c = i % n_columns;
    x[i] = (static_cast<float>((7 * b + 3 * c + b * c) % 11) - 5) / 4;
  }
  return x;
}

// A compressed tensor of an archive and, where there is one, the bias of its layer.
struct Layer {
  std::string name;
  std::string bias;
  Shape shape;
};

std::vector<Layer> layers_of(const ArchiveReader& archive) {
  std::set<std::string> names;
  for (const ArchiveEntry& entry : archive.entries()) names.insert(entry.info.name);
  std::vector<Layer> layers;
  for (const ArchiveEntry& entry : archive.entries()) {
    const std::string& name = entry.info.name;
    if (entry.codec == "plain" || entry.info.shape.size() > 4) continue;
    const std::string bias = name.substr(0, name.rfind('.')) + ".bias";
    layers.push_back({name, names.contains(bias) ? bias : "", entry.info.shape});
  }
  return layers;
}

// y for the first rows of inputs(), as the kind of layer that the shape tells computes it: a kernel
// sees images of its own size.
std::vector<float> product(const Model& model, const Layer& layer, std::size_t batch,
                           const ServeOptions& options) {
  const auto& [name, bias, shape] = layer;
  const MatrixShape matrix = matrix_shape(shape);
  const std::vector<float> x = inputs(batch, matrix.cols);
  std::vector<float> y(batch * matrix.rows);
  if (shape.size() == 4) {
    model.conv2d(name, bias, {}, options).forward(x, {batch, shape[1], shape[2], shape[3]}, y);
  } else if (shape.size() == 3) {
    model.conv1d(name, bias, {}, options).forward(x, {batch, shape[1], shape[2]}, y);
  } else {
    model.linear(name, bias, options)
        .forward({x.data(), batch, matrix.cols}, {y.data(), batch, matrix.rows});
  }
  return y;
}

// The same from the decoded weight, in double.
std::vector<double> reference_product(const Model& model, const Layer& layer,
                                      const std::vector<float>& w, std::size_t batch) {
  const MatrixShape matrix = matrix_shape(layer.shape);
  const std::vector<float> x = inputs(batch, matrix.cols);
  std::vector<float> bias(matrix.rows);
  if (!layer.bias.empty()) bias = model.decode(layer.bias);
  std::vector<double> y(batch * matrix.rows);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t b = i / matrix.rows, r = i % matrix.rows;
    y[i] = bias[r];
    for (std::size_t c = 0; c < matrix.cols; ++c) {
      y[i] += double{x[b * matrix.cols + c]} * double{w[r * matrix.cols + c]};
    }
  }
  return y;
}

TEST(Golden, EveryFileIsTested) {
  std::set<std::string> expected = {file("unknown.h5"), file("unknown.h5", "v2"),
                                    file("README.md", "v2"), file("make.cpp.txt", "v2"),
                                    file("check.py", "v2")};
  std::set<std::string> folders;
  for (const Golden& golden : kArchives) {
    expected.insert({archive_of(golden), decoded_of(golden)});
    if (golden.served) expected.insert(served_of(golden));
    folders.insert(golden.folder);
  }
  for (const std::string& folder : folders) {
    for (const char* name : {"README.md", "make.cpp.txt", "make.py"}) {
      expected.insert(file(name, folder));
    }
  }
  folders.insert("v2");
  std::set<std::string> found;
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::directory_iterator(file("", folder))) {
      found.insert(entry.path().string());
    }
  }
  EXPECT_EQ(found, expected);
}

TEST(Golden, ArchivesAreWhole) {
  for (const Golden& golden : kArchives) {
    EXPECT_EQ(verify(archive_of(golden)), open_weights(decoded_of(golden))->tensors().size())
        << golden.name;
  }
}

std::vector<TensorInfo> without_layouts(const WeightReader& reader) {
  std::vector<TensorInfo> infos;
  for (const TensorInfo& info : reader.tensors()) infos.push_back(test::without_layout(info));
  return infos;
}

TEST(Golden, TensorsDecodeAsTheyDid) {
  for (const Golden& golden : kArchives) {
    SCOPED_TRACE(golden.name);
    const auto reader = open_decoded(archive_of(golden));
    const auto expected_reader = open_weights(decoded_of(golden));
    EXPECT_EQ(reader->metadata(), expected_reader->metadata());
    EXPECT_EQ(without_layouts(*reader), without_layouts(*expected_reader));
    const auto tensors = tensors_of(*reader);
    for (const auto& [name, expected] : tensors_of(*expected_reader)) {
      ASSERT_TRUE(tensors.contains(name)) << name;
      if (golden.decoding == Sums::kExact) {
        EXPECT_TRUE(tensors.at(name).bytes == expected.bytes) << name;
      } else {
        EXPECT_LE(test::relative_error(tensors.at(name).floats(), expected.floats()), kRounding)
            << name;
      }
    }
  }
}

TEST(Golden, RowsOfEmbeddingsAreThoseOfTheMatrix) {
  for (const Golden& golden : kArchives) {
    const ArchiveReader archive(archive_of(golden));
    const Model model(archive_of(golden));
    const auto tensors = tensors_of(*open_decoded(archive_of(golden)));
    for (const Layer& layer : layers_of(archive)) {
      if (layer.shape.size() != 2) continue;
      const Embedding embedding = model.embedding(layer.name);
      const Tensor& matrix = tensors.at(layer.name);
      std::vector<float> row(embedding.dim());
      std::vector<std::byte> bytes;
      for (std::size_t r = 0; r < embedding.num_embeddings(); ++r) {
        embedding.forward(std::vector{static_cast<std::int64_t>(r)}, {row.data(), 1, row.size()});
        bytes.resize(bytes.size() + matrix.bytes.size() / layer.shape[0]);
        from_float(row, matrix.info.dtype,
                   std::span(bytes).last(matrix.bytes.size() / layer.shape[0]));
      }
      EXPECT_TRUE(bytes == matrix.bytes) << golden.name << ": " << layer.name;
    }
  }
}

TEST(Golden, ProductsAreThoseOfTheDecodedWeights) {
  for (const Golden& golden : kArchives) {
    const ArchiveReader archive(archive_of(golden));
    const Model model(archive_of(golden));
    const auto decoded = tensors_of(*open_decoded(archive_of(golden)));
    for (const Layer& layer : layers_of(archive)) {
      SCOPED_TRACE(golden.name + ": " + layer.name);
      const std::vector<float> w = model.decode(layer.name);
      std::vector<std::byte> bytes(decoded.at(layer.name).bytes.size());
      from_float(w, decoded.at(layer.name).info.dtype, bytes);
      EXPECT_TRUE(bytes == decoded.at(layer.name).bytes);
      for (const std::size_t batch : {1u, 3u}) {
        const auto y = product(model, layer, batch, {.precision = Precision::kExact});
        EXPECT_LE(test::relative_error(y, reference_product(model, layer, w, batch)),
                  golden.products == Sums::kExact ? 0 : kRounding);
      }
    }
  }
}

// "fast batch lookup NAME": the precision, the method, the tensor.
ServeOptions options_of(const std::string& how) {
  const std::size_t space = how.find(' ');
  ServeOptions options{.precision = parse_precision(how.substr(0, space)).value()};
  for (const ServeMethod method : {ServeMethod::kLookup, ServeMethod::kBatchLookup}) {
    if (how.compare(space + 1, to_string(method).size(), to_string(method)) == 0) {
      options.method = method;
    }
  }
  return options;
}

// The bits are those recorded; or, where a weight has too few rows for integer tables to be exact
// enough, the product is that of float tables.
TEST(Golden, ProductsThroughIntegersHaveTheBitsTheyHad) {
  std::size_t n_equal = 0, n_by_floats = 0;
  for (const Golden& golden : kArchives) {
    if (!golden.served) continue;
    const ArchiveReader archive(archive_of(golden));
    const Model model(archive_of(golden));
    std::map<std::string, Layer> layers;
    for (const Layer& layer : layers_of(archive)) layers[layer.name] = layer;
    for (const auto& [how, expected] : tensors_of(*open_weights(served_of(golden)))) {
      SCOPED_TRACE(golden.name + ": " + how);
      const Layer& layer = layers.at(how.substr(how.rfind(' ') + 1));
      const auto one = product(model, layer, 1, options_of(how));
      const auto three = product(model, layer, 3, options_of(how));
      std::vector<float> y = one;
      y.insert(y.end(), three.begin(), three.end());
      if (y == expected.floats()) {
        ++n_equal;
        continue;
      }
      ++n_by_floats;
      const std::vector<float> w = model.decode(layer.name);
      const double most = documented_error(Precision::kExact);
      EXPECT_LE(test::relative_error(one, reference_product(model, layer, w, 1)), most);
      EXPECT_LE(test::relative_error(three, reference_product(model, layer, w, 3)), most);
    }
  }
  EXPECT_EQ(n_equal, 2 * 32u);
  EXPECT_EQ(n_by_floats, 2 * 24u);
}

TEST(Golden, UnknownFeaturesAndCodecsAreRefusedByTensor) {
  for (const char* version : {"v1", "v2"}) {
    const std::string path = file("unknown.h5", version);
    const ArchiveReader archive(path);
    const Model model(path);
    ASSERT_EQ(archive.entries().size(), 3u);
    EXPECT_THAT(archive.entries()[0].features, ElementsAre("made_up_for_a_test"));
    EXPECT_EQ(archive.entries()[1].codec, "no_codec");
    for (const auto& [name, what] :
         {std::pair("later.weight", "made_up_for_a_test"), std::pair("other.weight", "no_codec")}) {
      const Error error = test::error_of([&, &name = name] { model.weight(name); });
      EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
      EXPECT_THAT(error.what(), HasSubstr(name));
      EXPECT_THAT(error.what(), HasSubstr(what));
    }
    EXPECT_EQ(test::error_of([&] { verify(path); }).code(), ErrorCode::kUnsupported);
    EXPECT_EQ(archive.entries()[2].info, (TensorInfo{"now \xff\x80", DType::kF32, {2}}));
    EXPECT_EQ(archive.read_plain(2).size(), 8u);
  }
}

}  // namespace
}  // namespace pqw
