#include "pqw/calibration/statistics_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::vector<TensorInfo> kModel = {{"fc.weight", DType::kF32, {2, 3}},
                                        {"fc.bias", DType::kF32, {2}},
                                        {"k", DType::kF32, {3, 2}, {}, {Kind::kLinear, {1, 0}}}};

// 5 rows of 3 columns in blocks of 2, and one held out.
InputStatistics small() {
  InputStatistics inputs;
  inputs.cols = 3;
  inputs.n_rows = 5;
  inputs.means = {0.1, 0.2, 0.3};
  inputs.second_moments = {1, 2, 3};
  inputs.gram_block = 2;
  inputs.gram = {1, 0.5, 0.5, 2, 3};
  inputs.held_out = {7, 8, 9};
  return inputs;
}

class StatisticsFile : public testing::Test {
 protected:
  void write(const InputStatistics& inputs, const std::vector<std::size_t>& axes = {},
             const std::string& tensor = "fc.weight") const {
    const StatisticsOutline outline{tensor, axes, inputs.cols, inputs.gram_block,
                                    inputs.n_held_out()};
    StatisticsWriter writer(path_, kModel, std::span(&outline, 1), {.overwrite = true});
    writer.add(inputs);
    writer.commit();
  }

  Error error_of_reading() const {
    return test::error_of([&] { (void)StatisticsReader(path_).read(kModel[0]); });
  }

  // The file with one dataset in place of another, or with none in its place.
  void replace(const std::string& name, std::optional<TensorInfo> with,
               std::span<const std::byte> bytes = {}) const {
    const auto reader = open_weights(path_);
    std::vector<TensorInfo> infos;
    std::vector<std::vector<std::byte>> values;
    for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
      const bool is_it = reader->tensors()[i].name == name;
      if (is_it && !with) continue;
      infos.push_back(is_it ? *with : reader->tensors()[i]);
      values.push_back(is_it ? std::vector<std::byte>(bytes.begin(), bytes.end())
                             : reader->read(i));
    }
    const auto writer = create_weights(path_, infos, reader->metadata(), {.overwrite = true});
    for (const auto& value : values) writer->add(value);
    writer->commit();
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "stats.h5";
};

TEST_F(StatisticsFile, GivesBackTheStatistics) {
  write(small(), {1, 0}, "k");
  const StatisticsReader reader(path_);
  EXPECT_THAT(reader.tensors(), ElementsAre("k"));
  EXPECT_FALSE(reader.read(kModel[0]));
  const TensorStatistics found = reader.read({"k", DType::kF32, {3, 2}}).value();
  EXPECT_THAT(found.axes, ElementsAre(1, 0));
  EXPECT_EQ(found.inputs.cols, 3u);
  EXPECT_EQ(found.inputs.n_rows, 5u);
  EXPECT_EQ(found.inputs.means, small().means);
  EXPECT_EQ(found.inputs.second_moments, small().second_moments);
  EXPECT_EQ(found.inputs.gram_block, 2u);
  EXPECT_EQ(found.inputs.gram, small().gram);
  EXPECT_EQ(found.inputs.held_out, small().held_out);
}

TEST_F(StatisticsFile, OfANameWithSlashesAndWithoutGram) {
  InputStatistics inputs = small();
  inputs.gram_block = 0;
  inputs.gram.clear();
  write(inputs, {}, "a/../b@name");
  const TensorStatistics found =
      StatisticsReader(path_).read({"a/../b@name", DType::kF32, {9, 3}}).value();
  EXPECT_TRUE(found.inputs.gram.empty());
  EXPECT_EQ(found.inputs.gram_block, 0u);
  EXPECT_TRUE(found.axes.empty());
}

TEST_F(StatisticsFile, CountsTheElementsOfBlocks) {
  EXPECT_EQ(gram_count(3, 0), 0u);
  EXPECT_EQ(gram_count(3, 3), 9u);
  EXPECT_EQ(gram_count(3, 2), 5u);
  EXPECT_EQ(gram_count(4, 2), 8u);
}

TEST_F(StatisticsFile, BelongsToTheNamesAndShapesOfAModelInAnyOrder) {
  write(small());
  const StatisticsReader reader(path_);
  reader.require_model("m", std::vector{kModel[2], kModel[0], kModel[1]});
  std::vector<TensorInfo> other_type = kModel;
  other_type[0].dtype = DType::kF16;
  reader.require_model("m", other_type);

  std::vector<TensorInfo> other_shape = kModel, other_name = kModel;
  other_shape[0].shape = {3, 2};
  other_name[1].name = "fc2.bias";
  for (const auto& other : {other_shape, other_name, {kModel[0], kModel[1]}}) {
    const Error error = test::error_of([&] { reader.require_model("m.npz", other); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), StartsWith(path_ + ": statistics of another model: "));
    EXPECT_THAT(error.what(), HasSubstr("pqw calibrate --model m.npz"));
  }
}

TEST_F(StatisticsFile, IsOfTheColumnsOfOneLayout) {
  write(small());
  const StatisticsReader reader(path_);
  EXPECT_EQ(reader.inputs_of(kModel[0])->means, small().means);
  EXPECT_FALSE(reader.inputs_of(kModel[1]));
  TensorInfo other = kModel[0];
  other.layout.axes = {1, 0};
  EXPECT_THAT(test::error_of([&] { (void)reader.inputs_of(other); }).what(),
              HasSubstr("statistics 'fc.weight': made for the layout oi, the tensor has io"));
}

TEST_F(StatisticsFile, RefusesColumnsOfAnotherShape) {
  write(small());
  const StatisticsReader reader(path_);
  for (const Shape& shape : {Shape{3, 2}, Shape{2, 3, 2}, Shape{3}, Shape{}}) {
    EXPECT_THAT(
        test::error_of([&] {
          (void)reader.read({"fc.weight", DType::kF32, shape});
        }).what(),
        HasSubstr("statistics 'fc.weight': 3 columns do not fit shape " + to_string(shape)));
  }
}

TEST_F(StatisticsFile, HasTheColumnsOfAllGroups) {
  InputStatistics inputs = small();  // of 3 columns
  inputs.gram_block = 1;
  inputs.gram = {1, 2, 3};
  write(inputs);
  const StatisticsReader reader(path_);
  const auto read = [&](const Shape& shape) {
    return reader.read({"fc.weight", DType::kF32, shape}).has_value();
  };
  EXPECT_TRUE(read({3, 1, 1}));
  EXPECT_TRUE(read({6, 1, 1}));
  EXPECT_THROW(read({4, 1, 1}), Error) << "4 rows are not 3 groups";
}

TEST_F(StatisticsFile, RefusesFilesOfOtherContent) {
  const float value = 1;
  const auto writer = create_weights(path_, {{"x", DType::kF32, {1}}});
  writer->add(std::as_bytes(std::span(&value, 1)));
  writer->commit();
  EXPECT_THAT(error_of_reading().what(), HasSubstr("stats.h5: not a file of input statistics"));
}

TEST_F(StatisticsFile, RefusesLaterVersions) {
  create_weights(path_, {}, {{"pqw_statistics", "2"}})->commit();
  const Error error = error_of_reading();
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.what(), HasSubstr("input statistics of version 2, this pqw reads version 1"));
}

TEST_F(StatisticsFile, RefusesATruncatedFile) {
  write(small());
  const std::string whole = test::content(path_);
  test::set_content(path_, std::string_view(whole).substr(0, whole.size() - 8));
  const Error error = error_of_reading();
  EXPECT_EQ(error.code(), ErrorCode::kFormat);
  EXPECT_THAT(error.what(), StartsWith(path_ + ": "));
}

TEST_F(StatisticsFile, RefusesMissingDatasets) {
  for (const char* name : {"rows", "means", "second_moments", "held_out", "gram_block", "gram"}) {
    write(small());
    replace("0/" + std::string(name), std::nullopt);
    const Error error = error_of_reading();
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    EXPECT_THAT(error.what(),
                HasSubstr("statistics 'fc.weight': the dataset '" + std::string(name) +
                          "' is missing; make the statistics again with pqw calibrate"));
  }
}

TEST_F(StatisticsFile, RefusesDatasetsThatDoNotFit) {
  const std::vector<double> numbers(4);
  const std::vector<float> floats(6);
  write(small());
  replace("0/second_moments", TensorInfo{"0/second_moments", DType::kF64, {4}},
          std::as_bytes(std::span(numbers)));
  EXPECT_THAT(
      error_of_reading().what(),
      HasSubstr("the dataset 'second_moments' is F64 of shape [4], expected F64 of shape [3]"));
  write(small());
  replace("0/gram", TensorInfo{"0/gram", DType::kF32, {6}}, std::as_bytes(std::span(floats)));
  EXPECT_THAT(error_of_reading().what(),
              HasSubstr("a Gram matrix of 6 elements does not fit 3 columns in blocks of 2"));
  write(small());
  replace("0/held_out", TensorInfo{"0/held_out", DType::kF32, {0, 3}});
  EXPECT_THAT(error_of_reading().what(), HasSubstr("no rows"));
}

TEST_F(StatisticsFile, RefusesBlocksOfAnySize) {
  for (const std::uint64_t block : {std::uint64_t{4}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    write(small());
    replace("0/gram_block", TensorInfo{"0/gram_block", DType::kU64, {}},
            std::as_bytes(std::span(&block, 1)));
    EXPECT_THAT(error_of_reading().what(), HasSubstr("does not fit 3 columns")) << block;
  }
}

TEST_F(StatisticsFile, RefusesNumbersThatAreNotFinite) {
  InputStatistics inputs = small();
  inputs.means[1] = std::numeric_limits<double>::quiet_NaN();
  write(inputs);
  EXPECT_THAT(error_of_reading().what(), HasSubstr("nan in the dataset 'means' at 1"));
}

TEST_F(StatisticsFile, RefusesAxesThatAreNoOrder) {
  write(small(), {1, 0});
  const std::vector<std::uint64_t> axes = {1, 1};
  replace("0/axes", TensorInfo{"0/axes", DType::kU64, {2}}, std::as_bytes(std::span(axes)));
  EXPECT_THAT(error_of_reading().what(), HasSubstr("'axes' is not an order of dimensions"));
}

TEST_F(StatisticsFile, HasTheExtensionOfHdf5) {
  const auto create = [&] { StatisticsWriter(dir_ / "s.npz", kModel, {}); };
  EXPECT_THAT(test::error_of(create).what(), HasSubstr("expected .h5 or .hdf5"));
}

}  // namespace
}  // namespace pqw
