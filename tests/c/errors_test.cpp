// The C API: codes and messages, per thread, and arguments that are missing.
#include <gmock/gmock.h>

#include <thread>

#include "tests/c/c_testing.h"

namespace pqw {
namespace {

using testing::HasSubstr;

using CErrors = test::CTest;

TEST_F(CErrors, EveryThreadHasItsOwnMessage) {
  std::size_t index = 0;
  ASSERT_EQ(pqw_model_find(model_, "mine", &index), PQW_NOT_FOUND);
  std::thread([&] {
    EXPECT_STREQ(pqw_last_error(), "");
    EXPECT_EQ(pqw_model_find(model_, "its", &index), PQW_NOT_FOUND);
    EXPECT_THAT(pqw_last_error(), HasSubstr("'its'"));
  }).join();
  EXPECT_THAT(pqw_last_error(), HasSubstr("'mine'"));
  ASSERT_EQ(pqw_model_find(model_, "embed", &index), PQW_OK);
  EXPECT_THAT(pqw_last_error(), HasSubstr("'mine'")) << "a success keeps the last message";
}

TEST_F(CErrors, MissingArgumentsAreNamed) {
  const auto missing = [](pqw_status status) {
    EXPECT_EQ(status, PQW_INVALID_ARGUMENT);
    return std::string(pqw_last_error());
  };
  pqw_model* model = nullptr;
  pqw_linear* linear = nullptr;
  pqw_conv* conv = nullptr;
  pqw_embedding* embedding = nullptr;
  pqw_recipe* recipe = nullptr;
  pqw_summary summary = PQW_SUMMARY_INIT;
  const char* codec = nullptr;
  std::size_t index = 0;
  float x = 0;
  EXPECT_EQ(missing(pqw_model_open(nullptr, 0, &model)), "path is NULL");
  EXPECT_EQ(missing(pqw_model_open(path_.c_str(), 0, nullptr)), "model is NULL");
  EXPECT_EQ(missing(pqw_model_find(nullptr, "x", &index)), "model is NULL");
  EXPECT_EQ(missing(pqw_model_find(model_, nullptr, &index)), "name is NULL");
  EXPECT_EQ(missing(pqw_model_find(model_, "x", nullptr)), "index is NULL");
  EXPECT_EQ(missing(pqw_model_tensor(nullptr, 0, nullptr)), "model is NULL");
  EXPECT_EQ(missing(pqw_model_tensor(model_, 0, nullptr)), "tensor is NULL");
  EXPECT_EQ(missing(pqw_model_codec(nullptr, 0, &codec)), "model is NULL");
  EXPECT_EQ(missing(pqw_model_codec(model_, 0, nullptr)), "codec is NULL");
  EXPECT_EQ(missing(pqw_model_read(nullptr, 0, &x, 4)), "model is NULL");
  EXPECT_EQ(missing(pqw_model_read(model_, 0, nullptr, 960)), "out is NULL");
  EXPECT_EQ(missing(pqw_model_decode(nullptr, 0, PQW_F32, &x, 4, nullptr)), "model is NULL");
  EXPECT_EQ(missing(pqw_model_decode(model_, 0, PQW_F32, nullptr, 960, nullptr)), "out is NULL");
  EXPECT_EQ(missing(pqw_linear_create(nullptr, "x", nullptr, nullptr, &linear)), "model is NULL");
  EXPECT_EQ(missing(pqw_linear_create(model_, nullptr, nullptr, nullptr, &linear)),
            "weight is NULL");
  EXPECT_EQ(missing(pqw_linear_create(model_, "x", nullptr, nullptr, nullptr)), "linear is NULL");
  EXPECT_EQ(missing(pqw_linear_forward(nullptr, 1, &x, 1, &x, 1)), "linear is NULL");
  EXPECT_EQ(missing(pqw_conv_create(nullptr, "x", nullptr, nullptr, nullptr, &conv)),
            "model is NULL");
  EXPECT_EQ(missing(pqw_conv_create(model_, nullptr, nullptr, nullptr, nullptr, &conv)),
            "weight is NULL");
  EXPECT_EQ(missing(pqw_conv_create(model_, "x", nullptr, nullptr, nullptr, nullptr)),
            "conv is NULL");
  EXPECT_EQ(missing(pqw_conv_output_shape(nullptr, &index, &index)), "conv is NULL");
  EXPECT_EQ(missing(pqw_conv_forward(nullptr, &index, &x, &x, 1)), "conv is NULL");
  EXPECT_EQ(missing(pqw_embedding_create(nullptr, "x", &embedding)), "model is NULL");
  EXPECT_EQ(missing(pqw_embedding_create(model_, nullptr, &embedding)), "weight is NULL");
  EXPECT_EQ(missing(pqw_embedding_create(model_, "x", nullptr)), "embedding is NULL");
  EXPECT_EQ(missing(pqw_embedding_forward(nullptr, nullptr, 0, nullptr, 0)), "embedding is NULL");
  EXPECT_EQ(
      missing(pqw_embedding_forward_bags(nullptr, nullptr, 0, nullptr, 0, PQW_BAG_SUM, nullptr, 0)),
      "embedding is NULL");
  EXPECT_EQ(missing(pqw_recipe_create(nullptr)), "recipe is NULL");
  EXPECT_EQ(missing(pqw_recipe_read(nullptr, &recipe)), "path is NULL");
  EXPECT_EQ(missing(pqw_recipe_set(nullptr, "codec=pq")), "recipe is NULL");
  EXPECT_EQ(missing(pqw_recipe_add_rule(nullptr, "x", "codec=pq")), "recipe is NULL");
  EXPECT_EQ(missing(pqw_recipe_include(nullptr, "x")), "recipe is NULL");
  EXPECT_EQ(missing(pqw_recipe_exclude(nullptr, "x")), "recipe is NULL");
  EXPECT_EQ(missing(pqw_recipe_set_target(nullptr, PQW_TARGET_SIZE, 1)), "recipe is NULL");
  EXPECT_EQ(missing(pqw_compress(nullptr, "x", nullptr, nullptr, nullptr)), "input is NULL");
  EXPECT_EQ(missing(pqw_compress("x", nullptr, nullptr, nullptr, nullptr)), "output is NULL");
  EXPECT_EQ(missing(pqw_evaluate(nullptr, "x", 0, &summary)), "original is NULL");
  EXPECT_EQ(missing(pqw_evaluate("x", "x", 0, nullptr)), "summary is NULL");
  EXPECT_EQ(missing(pqw_verify(nullptr, 0, nullptr)), "archive is NULL");
}

TEST(CErrorsOfNothing, DestroyingNullDoesNothing) {
  pqw_model_close(nullptr);
  pqw_linear_destroy(nullptr);
  pqw_conv_destroy(nullptr);
  pqw_embedding_destroy(nullptr);
  pqw_recipe_destroy(nullptr);
  EXPECT_EQ(pqw_model_count(nullptr), 0u);
  EXPECT_EQ(pqw_linear_in_features(nullptr), 0u);
  EXPECT_EQ(pqw_linear_out_features(nullptr), 0u);
  EXPECT_EQ(pqw_conv_rank(nullptr), 0u);
  EXPECT_EQ(pqw_embedding_count(nullptr), 0u);
  EXPECT_EQ(pqw_embedding_dim(nullptr), 0u);
}

}  // namespace
}  // namespace pqw
