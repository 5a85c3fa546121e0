// The C API: its layers compute what the C++ library computes.
#include <gmock/gmock.h>

#include "tests/c/c_testing.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using CLayers = test::CTest;

TEST_F(CLayers, LinearReadsAndWritesRowsWithStrides) {
  const Model model(path_);
  pqw_linear* linear = nullptr;
  ASSERT_EQ(pqw_linear_create(model_, "fc.weight", "fc.bias", nullptr, &linear), PQW_OK);
  EXPECT_EQ(pqw_linear_in_features(linear), 12u);
  EXPECT_EQ(pqw_linear_out_features(linear), 20u);
  const auto x = test::normal_values(3 * 15, 1);
  std::vector<float> y(3 * 21, 8.0f), expected(3 * 21, 8.0f);
  ASSERT_EQ(pqw_linear_forward(linear, 3, x.data(), 15, y.data(), 21), PQW_OK);
  model.linear("fc.weight", "fc.bias").forward({x.data(), 3, 12, 15}, {expected.data(), 3, 20, 21});
  EXPECT_EQ(y, expected);
  EXPECT_EQ(pqw_linear_forward(linear, 0, nullptr, 0, nullptr, 0), PQW_OK);
  EXPECT_EQ(pqw_linear_forward(linear, 2, x.data(), 11, y.data(), 20), PQW_INVALID_ARGUMENT);
  EXPECT_STREQ(pqw_last_error(), "x_stride is 11, expected at least 12, the floats of a row");
  EXPECT_EQ(pqw_linear_forward(linear, SIZE_MAX, x.data(), 12, y.data(), 20), PQW_INVALID_ARGUMENT);
  EXPECT_STREQ(pqw_last_error(),
               "x has 18446744073709551615 rows, 12 floats apart: more than memory can hold");
  EXPECT_EQ(pqw_linear_forward(linear, 1, x.data(), 12, nullptr, 20), PQW_INVALID_ARGUMENT);
  EXPECT_STREQ(pqw_last_error(), "y is NULL");
  pqw_linear_destroy(linear);
}

TEST_F(CLayers, PrecisionAndMemoryAreTheCallers) {
  const Model model(path_);
  const auto x = test::normal_values(12, 1);
  for (const auto& [given, precision] : {std::pair{PQW_PRECISION_EXACT, Precision::kExact},
                                         std::pair{PQW_PRECISION_HIGH, Precision::kHigh},
                                         std::pair{PQW_PRECISION_FAST, Precision::kFast}}) {
    for (const auto& [kept, memory] : {std::pair{PQW_MEMORY_CODES, ServeMemory::kCodes},
                                       std::pair{PQW_MEMORY_FASTEST, ServeMemory::kFastest}}) {
      pqw_serve_options options = PQW_SERVE_OPTIONS_INIT;
      options.precision = given;
      options.memory = kept;
      pqw_linear* linear = nullptr;
      ASSERT_EQ(pqw_linear_create(model_, "fc.weight", nullptr, &options, &linear), PQW_OK);
      std::vector<float> y(20), expected(20);
      ASSERT_EQ(pqw_linear_forward(linear, 1, x.data(), 12, y.data(), 20), PQW_OK);
      model.linear("fc.weight", "", {.precision = precision, .memory = memory})
          .forward({x.data(), 1, 12}, {expected.data(), 1, 20});
      EXPECT_EQ(y, expected) << to_string(precision) << ", " << to_string(memory);
      pqw_linear_destroy(linear);
    }
  }
  pqw_serve_options options = PQW_SERVE_OPTIONS_INIT;
  options.precision = static_cast<pqw_precision>(3);
  pqw_linear* linear = nullptr;
  EXPECT_EQ(pqw_linear_create(model_, "fc.weight", nullptr, &options, &linear),
            PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("precision 3"));
}

// Creates the convolution, asks for its output shape and computes it.
std::vector<float> convolved(const pqw_model* model, const char* weight, const char* bias,
                             const pqw_conv_options* options, const Shape& x_shape,
                             const std::vector<float>& x, Shape& y_shape) {
  pqw_conv* conv = nullptr;
  EXPECT_EQ(pqw_conv_create(model, weight, bias, options, nullptr, &conv), PQW_OK)
      << pqw_last_error();
  EXPECT_EQ(pqw_conv_rank(conv), x_shape.size());
  y_shape.assign(x_shape.size(), 0);
  EXPECT_EQ(pqw_conv_output_shape(conv, x_shape.data(), y_shape.data()), PQW_OK);
  std::vector<float> y(element_count(y_shape));
  EXPECT_EQ(pqw_conv_forward(conv, x_shape.data(), x.data(), y.data(), y.size()), PQW_OK)
      << pqw_last_error();
  pqw_conv_destroy(conv);
  return y;
}

TEST_F(CLayers, ConvolutionsOfEveryRank) {
  const Model model(path_);
  const auto x = test::normal_values(600, 2);
  Shape shape;
  {
    pqw_conv_options options = PQW_CONV_OPTIONS_INIT;
    options.padding[0] = 2;
    const auto y = convolved(model_, "conv1d.weight", "conv.bias", &options, {2, 4, 5}, x, shape);
    EXPECT_THAT(shape, ElementsAre(2, 6, 7));
    std::vector<float> expected(84);
    model.conv1d("conv1d.weight", "conv.bias", {.padding = 2})
        .forward(std::span(x).first(40), {2, 4, 5}, expected);
    EXPECT_EQ(y, expected);
  }
  {
    pqw_conv_options options = PQW_CONV_OPTIONS_INIT;
    options.stride[0] = 2;
    const auto y =
        convolved(model_, "conv2d.weight", "conv.bias", &options, {2, 4, 5, 5}, x, shape);
    EXPECT_THAT(shape, ElementsAre(2, 6, 2, 3));
    std::vector<float> expected(72);
    model.conv2d("conv2d.weight", "conv.bias", {.stride = {2, 1}})
        .forward(std::span(x).first(200), {2, 4, 5, 5}, expected);
    EXPECT_EQ(y, expected);
  }
  {
    const auto y = convolved(model_, "conv3d.weight", nullptr, nullptr, {1, 4, 2, 5, 10}, x, shape);
    EXPECT_THAT(shape, ElementsAre(1, 6, 2, 4, 8));
    std::vector<float> expected(384);
    model.conv3d("conv3d.weight").forward(std::span(x).first(400), {1, 4, 2, 5, 10}, expected);
    EXPECT_EQ(y, expected);
  }
}

TEST_F(CLayers, TransposedConvolutions) {
  const Model model(path_);
  const auto x = test::normal_values(200, 3);
  Shape shape;
  pqw_conv_options options = PQW_CONV_OPTIONS_INIT;
  options.transposed = 1;
  options.stride[0] = 2;
  options.output_padding[0] = 1;
  {
    const auto y = convolved(model_, "conv1d.weight", nullptr, &options, {2, 4, 5}, x, shape);
    EXPECT_THAT(shape, ElementsAre(2, 6, 12));
    std::vector<float> expected(144);
    model.conv_transpose1d("conv1d.weight", "", {.stride = 2, .output_padding = 1})
        .forward(std::span(x).first(40), {2, 4, 5}, expected);
    EXPECT_EQ(y, expected);
  }
  {
    options.dilation[1] = 2;
    const auto y =
        convolved(model_, "conv2d.weight", "conv.bias", &options, {2, 4, 5, 5}, x, shape);
    EXPECT_THAT(shape, ElementsAre(2, 6, 12, 9));
    std::vector<float> expected(2 * 6 * 12 * 9);
    model
        .conv_transpose2d("conv2d.weight", "conv.bias",
                          {.stride = {2, 1}, .output_padding = {1, 0}, .dilation = {1, 2}})
        .forward(x, {2, 4, 5, 5}, expected);
    EXPECT_EQ(y, expected);
  }
  pqw_conv* conv = nullptr;
  EXPECT_EQ(pqw_conv_create(model_, "conv3d.weight", nullptr, &options, nullptr, &conv),
            PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("rank 5, a transposed convolution needs 3 or 4"));
}

TEST_F(CLayers, ConvolutionsCheckShapesAndSizes) {
  pqw_conv* conv = nullptr;
  EXPECT_EQ(pqw_conv_create(model_, "fc.weight", nullptr, nullptr, nullptr, &conv),
            PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("rank 2, a convolution needs 3 to 5"));
  ASSERT_EQ(pqw_conv_create(model_, "conv1d.weight", nullptr, nullptr, nullptr, &conv), PQW_OK);
  std::vector<float> x(40), y(36);
  const std::size_t shape[] = {2, 4, 5}, wrong[] = {2, 3, 5},
                    huge[] = {std::size_t{1} << 40, 4, std::size_t{1} << 40};
  EXPECT_EQ(pqw_conv_forward(conv, shape, x.data(), y.data(), 36), PQW_OK);
  EXPECT_EQ(pqw_conv_forward(conv, shape, x.data(), y.data(), 35), PQW_INVALID_ARGUMENT);
  EXPECT_EQ(pqw_conv_forward(conv, wrong, x.data(), y.data(), 36), PQW_INVALID_ARGUMENT);
  EXPECT_EQ(pqw_conv_forward(conv, huge, x.data(), y.data(), 36), PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("more elements than any memory"));
  pqw_conv_destroy(conv);
}

TEST_F(CLayers, EmbeddingsAndBags) {
  const Model model(path_);
  pqw_embedding* embedding = nullptr;
  ASSERT_EQ(pqw_embedding_create(model_, "embed", &embedding), PQW_OK);
  EXPECT_EQ(pqw_embedding_count(embedding), 20u);
  EXPECT_EQ(pqw_embedding_dim(embedding), 12u);
  const std::vector<std::int64_t> indices{7, 0, 19, 7}, offsets{0, 3, 3};
  std::vector<float> out(4 * 13, 5.0f), expected(4 * 13, 5.0f);
  ASSERT_EQ(pqw_embedding_forward(embedding, indices.data(), 4, out.data(), 13), PQW_OK);
  const Embedding reference = model.embedding("embed");
  reference.forward(indices, {expected.data(), 4, 12, 13});
  EXPECT_EQ(out, expected);
  for (const auto& [given, mode] :
       {std::pair{PQW_BAG_SUM, BagMode::kSum}, std::pair{PQW_BAG_MEAN, BagMode::kMean}}) {
    std::vector<float> bags(36), expected_bags(36);
    ASSERT_EQ(pqw_embedding_forward_bags(embedding, indices.data(), 4, offsets.data(), 3, given,
                                         bags.data(), 12),
              PQW_OK);
    reference.forward_bags(indices, offsets, mode, {expected_bags.data(), 3, 12});
    EXPECT_EQ(bags, expected_bags);
  }
  const std::int64_t outside = 20;
  EXPECT_EQ(pqw_embedding_forward(embedding, &outside, 1, out.data(), 12), PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("index 20 is out of range"));
  pqw_embedding_destroy(embedding);
}

TEST_F(CLayers, OutliveTheirModel) {
  pqw_linear* linear = nullptr;
  ASSERT_EQ(pqw_linear_create(model_, "fc.weight", "fc.bias", nullptr, &linear), PQW_OK);
  pqw_model_close(model_);
  model_ = nullptr;
  const auto x = test::normal_values(12, 1);
  std::vector<float> y(20), expected(20);
  ASSERT_EQ(pqw_linear_forward(linear, 1, x.data(), 12, y.data(), 20), PQW_OK);
  Model(path_).linear("fc.weight", "fc.bias").forward({x.data(), 1, 12}, {expected.data(), 1, 20});
  EXPECT_EQ(y, expected);
  pqw_linear_destroy(linear);
}

}  // namespace
}  // namespace pqw
