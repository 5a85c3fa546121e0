// The verb bench.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/cli_testing.h"

namespace pqw {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Cli = test::CliTest;
using test::Outcome;

TEST_F(Cli, BenchTimesEveryCompressedTensor) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--centroids", "16"});
  const Outcome bench = run({"bench", "m.h5", "--batch", "1,3", "--threads", "1", "--json"});
  EXPECT_EQ(bench.status, 0) << bench.err;
  EXPECT_THAT(bench.err, HasSubstr("[2/2] fc.weight [64, 150]\n"));
  const auto report = nlohmann::json::parse(bench.out);
  EXPECT_EQ(report["threads"], 1);
  EXPECT_EQ(report["precision"], "high");
  ASSERT_EQ(report["tensors"].size(), 2u);
  EXPECT_EQ(report["tensors"][1]["name"], "fc.weight");
  EXPECT_EQ(report["tensors"][1]["code_bytes"], 64 * 38 / 2);  // 4 bits for each of 38 blocks
  for (const auto& tensor : report["tensors"]) {
    ASSERT_EQ(tensor["batches"].size(), 2u);
    EXPECT_EQ(tensor["batches"][1]["batch"], 3);
    for (const auto& times : tensor["batches"]) {
      EXPECT_GT(times["dense_us"], 0);
      EXPECT_GT(times["served_us"], 0);
      EXPECT_GT(times["code_gb_per_s"], 0);
      EXPECT_LT(times["dense_error"], 1e-5);
      EXPECT_LT(times["error"], 1e-4);
      EXPECT_TRUE(times["as_documented"]);
      EXPECT_NE(times["kernel"], "");
    }
  }
}

TEST_F(Cli, BenchDoesAsItIsTold) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--for", "serving"});
  const Outcome table = run({"bench", "m.h5", "--tensor", "^fc", "--batch", "2", "--precision",
                             "exact", "--method", "lookup", "--quiet"});
  EXPECT_EQ(table.status, 0);
  EXPECT_THAT(table.err, IsEmpty());
  EXPECT_THAT(table.out, StartsWith("tensor     shape"));
  EXPECT_THAT(table.out, HasSubstr("fc.weight  [64, 150]  pq"));
  EXPECT_THAT(table.out, Not(HasSubstr("conv")));
  EXPECT_EQ(std::count(table.out.begin(), table.out.end(), '\n'), 2) << table.out;
  expect_failure(run({"bench", "m.h5", "--tensor", "decoder"}), "matches no tensor");
  expect_failure(run({"bench", "m.h5", "--tensor", "bias"}), "no compressed tensor matches 'bias'");
  expect_failure(run({"bench", "model.safetensors"}), "model.safetensors");
  EXPECT_EQ(run({"bench", "m.h5", "--precision", "low"}).status, 2);
  EXPECT_EQ(run({"bench", "m.h5", "--method", "magic"}).status, 2);
  EXPECT_EQ(run({"bench", "m.h5", "--batch", "0"}).status, 2);
}

TEST_F(Cli, BenchPrintsCostsThatAFileOfPqwCostsMayHave) {
  const Outcome costs = run({"bench", "--calibrate"});
  EXPECT_EQ(costs.status, 0) << costs.err;
  EXPECT_THAT(costs.out, StartsWith("kernels "));
  test::set_content(dir_ / "costs.txt", costs.out);
  test::set_content(dir_ / "bad.txt", "kernels vax\n");
  run({"quantize", "model.safetensors", "-o", "m.h5", "--for", "serving"});
  const auto bench_with = [&](const char* source) {
    return run({"bench", "m.h5", "--batch", "1", "--quiet"},
               [=] { ::setenv("PQW_COSTS", source, 1); });
  };
  EXPECT_EQ(bench_with("costs.txt").status, 0);
  EXPECT_EQ(bench_with("measure").status, 0);
  expect_failure(bench_with("bad.txt"), "PQW_COSTS=bad.txt: costs of the kernels vax");
  expect_failure(bench_with("none.txt"), "PQW_COSTS=none.txt: cannot read the file");
  EXPECT_EQ(run({"bench", "--calibrate", "m.h5"}).status, 2);
  EXPECT_EQ(run({"bench"}).status, 2);
}

TEST_F(Cli, BenchWithAMethodLeavesOutWeightsThatHaveNone) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--for", "serving", "--set",
       "conv:codec=int8"});
  const std::vector<std::string> bench = {"bench",    "m.h5",   "--batch", "1",
                                          "--method", "lookup", "--json"};
  const Outcome outcome = run(bench);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("left out, because --method applies to pq weights only: "
                                     "1 of 2 tensors"));
  const auto report = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(report["tensors"].size(), 1u);
  EXPECT_EQ(report["tensors"][0]["name"], "fc.weight");
  EXPECT_EQ(report["left_out"], nlohmann::json({"conv.weight"}));
  std::vector<std::string> only_int8 = bench;
  only_int8.insert(only_int8.end(), {"--tensor", "conv", "--quiet"});
  expect_failure(run(only_int8),
                 "m.h5: none of the chosen tensors has codec pq: --method chooses how");
}

}  // namespace
}  // namespace pqw
