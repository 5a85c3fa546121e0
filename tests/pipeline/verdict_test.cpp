// The verdict on a compressed file.
#include "pqw/pipeline/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pqw {
namespace {

using testing::HasSubstr;
using testing::Not;

// A tensor of ones with these decoded values, stored in `bytes`.
TensorReport tensor(const std::string& name, const std::string& codec,
                    const std::vector<float>& decoded, std::uint64_t bytes) {
  TensorReport report;
  report.info = {name, DType::kF32, {decoded.size()}};
  report.codec = codec;
  report.bytes = bytes;
  report.n_parameters = decoded.size();
  report.distortion.emplace();
  report.distortion->add(std::vector<float>(decoded.size(), 1), decoded);
  return report;
}

Report some_report() {
  Report report;
  report.tensors = {tensor("a", "pq", {1, 1, 1, 0}, 1),    // squared error 1
                    tensor("b", "pq", {-1, 1, 1, -1}, 1),  // 8
                    tensor("c", "pq", {1, 1, 0, 0}, 2),    // 2
                    tensor("d", "int8", {2, 2, 2, 2}, 4),  // 4
                    tensor("e", "plain", {1, 1, 1, 1}, 16)};
  report.file_bytes = 40;
  return report;
}

TEST(Verdict, AddsUpTheFile) {
  const Verdict verdict = judge(some_report());
  EXPECT_EQ(verdict.bits_per_weight, 16);  // 40 bytes, 20 weights
  EXPECT_EQ(verdict.ratio, 2);
  EXPECT_EQ(verdict.relative_error, 15.0 / 16);  // of the 16 compressed weights
  EXPECT_EQ(verdict.amplitude, (3 + 0 + 2 + 8) / 16.0);
}

TEST(Verdict, TheMeanErrorCountsEachTensorOnce) {
  Report report;
  report.tensors = {tensor("a", "pq", {1, 1, 1, 0}, 1),
                    tensor("b", "pq", {1, 1, 1, 1, 1, 1, 1, 1}, 1)};
  EXPECT_EQ(judge(report).relative_error, 1.0 / 12);
  EXPECT_EQ(judge(report).mean_error, (1.0 / 4 + 0) / 2);
}

TEST(Verdict, NamesThreeTensorsWithTheLargestErrors) {
  const auto errors = judge(some_report()).largest_errors;
  ASSERT_EQ(errors.size(), 3u);
  EXPECT_EQ(errors[0].tensor, "b");
  EXPECT_EQ(errors[0].share, 8.0 / 15);
  EXPECT_EQ(errors[1].tensor, "d");
  EXPECT_EQ(errors[2].tensor, "c");
  EXPECT_THAT(to_text(judge(some_report()), ""),
              HasSubstr("\nshares of the error: b 53 %, d 27 %, c 13 %\n"));
}

// Each of them has less than a hundredth of the error, and still one is the largest.
TEST(Verdict, NamesATensorWhereAllErrorsAreSmall) {
  Report report;
  for (int i = 0; i < 200; ++i) {
    report.tensors.push_back(tensor(std::to_string(i), "pq", {1, i == 7 ? -1.0f : 0.0f}, 1));
  }
  report.tensors.push_back(tensor("exact", "int8", {1, 1}, 1));
  report.file_bytes = 40;
  const auto errors = judge(report).largest_errors;  // 4 of 203
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].tensor, "7");
  report.tensors[7] = tensor("7", "pq", {1, 0}, 1);
  ASSERT_EQ(judge(report).largest_errors.size(), 1u);
  EXPECT_EQ(judge(report).largest_errors[0].tensor, "0");
}

TEST(Verdict, WarnsOfFewBitsThatInt8AndPlainTensorsDoNotHide) {
  Report report = some_report();  // pq: 4 bytes of 12 weights
  const Verdict verdict = judge(report);
  EXPECT_EQ(verdict.risky_bits, 32.0 / 12);
  EXPECT_THAT(to_text(verdict, ""), HasSubstr("\nwarning: 2.67 bits a weight, without int8"));
  report.tensors[0].bytes = 2;  // 5 bytes: 3.33 bits
  EXPECT_EQ(judge(report).risky_bits, std::nullopt);
  EXPECT_THAT(to_text(judge(report), ""), Not(HasSubstr("warning")));
}

TEST(Verdict, OfAFileThatWasNotMeasuredHasSizesOnly) {
  Report report = some_report();
  for (TensorReport& tensor : report.tensors) tensor.distortion.reset();
  const Verdict verdict = judge(report);
  EXPECT_EQ(verdict.relative_error, std::nullopt);
  EXPECT_TRUE(verdict.largest_errors.empty());
  EXPECT_THAT(to_text(verdict, ""),
              testing::StartsWith("16.00 bits a weight, 2.00 times smaller\n"));
}

TEST(Verdict, EndsWithTheCommandThatHalvesTheError) {
  Report report = some_report();
  report.tensors[0].bytes = 2;
  EXPECT_THAT(to_text(judge(report), "pqw quantize x"),
              testing::EndsWith("\nto halve the mean error: pqw quantize x\n"));
}

}  // namespace
}  // namespace pqw
