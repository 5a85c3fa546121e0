// The C API: models and their tensors.
#include <gmock/gmock.h>

#include "pqw/core/convert.h"
#include "tests/c/c_testing.h"

namespace pqw {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using CModel = test::CTest;

TEST_F(CModel, TellsWhatTheArchiveHolds) {
  EXPECT_EQ(pqw_model_count(model_), 9u);
  pqw_tensor tensor = PQW_TENSOR_INIT;
  ASSERT_EQ(pqw_model_tensor(model_, index("conv2d.weight"), &tensor), PQW_OK);
  EXPECT_STREQ(tensor.name, "conv2d.weight");
  EXPECT_EQ(tensor.name_bytes, 13u);
  EXPECT_EQ(tensor.dtype, PQW_F32);
  EXPECT_STREQ(tensor.dtype_name, "F32");
  EXPECT_THAT(std::vector<std::size_t>(tensor.shape, tensor.shape + tensor.rank),
              ElementsAre(6, 4, 3, 3));
  EXPECT_EQ(tensor.n_bytes, 6u * 4 * 9 * 4);
  ASSERT_EQ(pqw_model_tensor(model_, index("steps"), &tensor), PQW_OK);
  EXPECT_EQ(tensor.dtype, PQW_I64);
  EXPECT_EQ(tensor.rank, 0u);
  const char *pq = nullptr, *plain = nullptr, *again = nullptr;
  ASSERT_EQ(pqw_model_codec(model_, index("embed"), &pq), PQW_OK);
  ASSERT_EQ(pqw_model_codec(model_, index("steps"), &plain), PQW_OK);
  ASSERT_EQ(pqw_model_codec(model_, index("fc.weight"), &again), PQW_OK);
  EXPECT_STREQ(pq, "pq");
  EXPECT_STREQ(plain, "plain");
  EXPECT_EQ(pq, again);
}

TEST_F(CModel, DecodesAndReads) {
  const Model model(path_);
  const std::vector<float> expected = model.decode("fc.weight");
  const std::size_t fc = index("fc.weight");
  std::vector<float> floats(240);
  ASSERT_EQ(pqw_model_decode(model_, fc, PQW_F32, floats.data(), 960, nullptr), PQW_OK);
  EXPECT_EQ(floats, expected);
  std::vector<float> read(240);
  ASSERT_EQ(pqw_model_read(model_, fc, read.data(), 960), PQW_OK);
  EXPECT_EQ(read, expected);
  std::vector<double> doubles(240);
  ASSERT_EQ(pqw_model_decode(model_, fc, PQW_F64, doubles.data(), 1920, nullptr), PQW_OK);
  EXPECT_EQ(doubles, std::vector<double>(expected.begin(), expected.end()));
  std::vector<std::uint16_t> halves(240);
  ASSERT_EQ(pqw_model_decode(model_, fc, PQW_F16, halves.data(), 480, nullptr), PQW_OK);
  std::vector<std::uint16_t> brains(240);
  ASSERT_EQ(pqw_model_decode(model_, fc, PQW_BF16, brains.data(), 480, nullptr), PQW_OK);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(halves[i], float_to_f16(expected[i]));
    EXPECT_EQ(brains[i], float_to_bf16(expected[i]));
  }
  std::int64_t steps = 0;
  ASSERT_EQ(pqw_model_decode(model_, index("steps"), PQW_I64, &steps, 8, nullptr), PQW_OK);
  EXPECT_EQ(steps, 77);
}

TEST_F(CModel, DecodesWithStridesAndLeavesTheGapsAlone) {
  const std::vector<float> expected = Model(path_).decode("fc.weight");
  std::vector<float> columns(12 * 21, -7.0f);  // column c begins at 21 * c; one float between
  const std::ptrdiff_t strides[] = {4, 21 * 4};
  const std::size_t bytes = (11 * 21 + 20) * 4;  // to the last element
  ASSERT_EQ(pqw_model_decode(model_, index("fc.weight"), PQW_F32, columns.data(), bytes, strides),
            PQW_OK)
      << pqw_last_error();
  for (std::size_t c = 0; c < 12; ++c) {
    for (std::size_t r = 0; r < 20; ++r) ASSERT_EQ(columns[21 * c + r], expected[12 * r + c]);
    EXPECT_EQ(columns[21 * c + 20], -7.0f);
  }
  EXPECT_EQ(
      pqw_model_decode(model_, index("fc.weight"), PQW_F32, columns.data(), bytes - 1, strides),
      PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(),
              AllOf(HasSubstr("'fc.weight'"), HasSubstr("1003 bytes"), HasSubstr("needs 1004")));
}

TEST_F(CModel, ATensorWithoutElementsNeedsNoMemory) {
  EXPECT_EQ(pqw_model_decode(model_, index("empty"), PQW_F32, nullptr, 0, nullptr), PQW_OK);
  EXPECT_EQ(pqw_model_read(model_, index("empty"), nullptr, 0), PQW_OK);
}

TEST_F(CModel, RefusesWhatDoesNotFit) {
  std::vector<float> out(240);
  const std::size_t fc = index("fc.weight");
  const auto refused = [&](pqw_status status) {
    EXPECT_EQ(status, PQW_INVALID_ARGUMENT);
    return std::string(pqw_last_error());
  };
  EXPECT_THAT(refused(pqw_model_decode(model_, fc, PQW_F32, out.data(), 959, nullptr)),
              HasSubstr("out has 959 bytes, shape [20, 12] needs 960"));
  EXPECT_THAT(refused(pqw_model_decode(model_, fc, PQW_I32, out.data(), 960, nullptr)),
              HasSubstr("F32 cannot be copied as I32"));
  EXPECT_THAT(refused(pqw_model_decode(model_, fc, PQW_OTHER_DTYPE, out.data(), 960, nullptr)),
              HasSubstr("dtype 1000"));
  const std::ptrdiff_t negative[] = {48, -4}, shared[] = {4, 4},
                       far[] = {std::ptrdiff_t{1} << 62, 4};
  EXPECT_THAT(refused(pqw_model_decode(model_, fc, PQW_F32, out.data(), 960, negative)),
              HasSubstr("stride -4 of dimension 1, expected 0 or more"));
  EXPECT_THAT(refused(pqw_model_decode(model_, fc, PQW_F32, out.data(), 960, shared)),
              HasSubstr("elements share memory"));
  EXPECT_THAT(refused(pqw_model_decode(model_, fc, PQW_F32, out.data(), 960, far)),
              HasSubstr("more than any memory"));
  EXPECT_THAT(refused(pqw_model_read(model_, fc, out.data(), 0)), HasSubstr("needs 960"));
  EXPECT_THAT(refused(pqw_model_read(model_, 9, out.data(), 960)),
              HasSubstr("index is 9; the model has 9 tensors"));
}

TEST_F(CModel, ErrorsHaveTheCodesOfTheLibrary) {
  pqw_model* model = nullptr;
  EXPECT_EQ(pqw_model_open((dir_ / "none.h5").c_str(), 0, &model), PQW_NOT_FOUND);
  EXPECT_THAT(pqw_last_error(), HasSubstr("none.h5"));
  EXPECT_EQ(model, nullptr);
  std::size_t found = 5;
  EXPECT_EQ(pqw_model_find(model_, "fc", &found), PQW_NOT_FOUND);
  EXPECT_THAT(pqw_last_error(), AllOf(HasSubstr(path_), HasSubstr("no tensor is named 'fc'")));
  EXPECT_EQ(found, 5u);
  EXPECT_EQ(pqw_model_open(path_.c_str(), 8, &model), PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("flags 0x8"));
  EXPECT_EQ(pqw_model_open(path_.c_str(), PQW_OVERWRITE, &model), PQW_INVALID_ARGUMENT);
}

// Programs that were compiled with an older or newer header.
TEST_F(CModel, StructsMayHaveFewerOrMoreFields) {
  pqw_tensor tensor = PQW_TENSOR_INIT;
  tensor.struct_size = offsetof(pqw_tensor, dtype);
  tensor.rank = 99;
  ASSERT_EQ(pqw_model_tensor(model_, 0, &tensor), PQW_OK);
  EXPECT_STREQ(tensor.name, "fc.weight");
  EXPECT_EQ(tensor.rank, 99u);
  EXPECT_EQ(tensor.struct_size, offsetof(pqw_tensor, dtype));

  struct Newer {
    pqw_serve_options known;
    std::size_t more;
  } newer = {PQW_SERVE_OPTIONS_INIT, 0};
  newer.known.struct_size = sizeof(Newer);
  pqw_linear* linear = nullptr;
  EXPECT_EQ(pqw_linear_create(model_, "fc.weight", nullptr, &newer.known, &linear), PQW_OK);
  pqw_linear_destroy(linear);
  newer.more = 1;
  EXPECT_EQ(pqw_linear_create(model_, "fc.weight", nullptr, &newer.known, &linear),
            PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("does not have"));
  newer.known.struct_size = 0;
  EXPECT_EQ(pqw_linear_create(model_, "fc.weight", nullptr, &newer.known, &linear),
            PQW_INVALID_ARGUMENT);
  EXPECT_THAT(pqw_last_error(), HasSubstr("PQW_SERVE_OPTIONS_INIT"));
}

}  // namespace
}  // namespace pqw
