// The bytes of a tensor are those that the archive stores of it, whoever tells them.
#include <gtest/gtest.h>

#include "pqw/archive/archive.h"
#include "pqw/compress/compress.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/foreseen.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

// Added up from the arrays that were read.
std::uint64_t bytes_in(const Record& record) {
  std::uint64_t sum = 0;
  for (const Section& section : record.sections) sum += section.bytes.size();
  for (const Record& part : record.parts) sum += bytes_in(part);
  return sum;
}

const std::vector<TensorInfo> kTensors = {{"a.weight", DType::kF32, {64, 48}},
                                          {"b.weight", DType::kF32, {64, 48}},
                                          {"c.weight", DType::kF16, {96, 7, 3, 3}},
                                          {"c.bias", DType::kF32, {96}}};

class ReportedBytes : public testing::TestWithParam<const char*> {};

TEST_P(ReportedBytes, AreThoseThatTheTensorStores) {
  const test::TempDir dir;
  const std::string input = dir / "m.safetensors", archive = dir / "m.h5";
  test::write_normal_weights(input, kTensors);
  const Recipe recipe{.defaults = parse_settings(GetParam())};
  const Report plan = plan_compression(input, recipe);
  const Report made = compress(input, archive, recipe);
  const Report stored = inspect(archive);
  const Report measured = evaluate(input, archive);
  const ArchiveReader reader(archive);
  test::expect_foreseen(plan, made);
  ASSERT_EQ(made.tensors.size(), kTensors.size());
  EXPECT_TRUE(made.tensors[0].compressed());
  for (std::size_t i = 0; i < kTensors.size(); ++i) {
    const bool plain = reader.entries()[i].codec == "plain";
    const std::uint64_t bytes = plain ? reader.read_plain(i).size() : bytes_in(reader.read(i));
    for (const Report* report : {&made, &stored, &measured}) {
      EXPECT_EQ(report->tensors[i].bytes, bytes) << kTensors[i].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    , ReportedBytes,
    testing::Values(
        "centroids=8", "centroids=5,block_size=7,codebook=f32", "centroids=4,groups=3",
        "codec=int8,per=tensor", "codec=int8,scheme=affine", "codec=low_rank,rank=3",
        "codec=low_rank,rank=16,factors.codec=pq,factors.block_size=2,factors.centroids=16",
        "codec=low_rank,rank=16,factors.codec=int8",
        "codec=low_rank,rank=16,factors.codec=low_rank,factors.rank=12", "codec=tensorized,form=tt",
        "codec=tensorized,form=ttm", "codec=tensorized,form=tucker,modes=2",
        "codec=tensorized,form=cp,rank=4",
        "codec=tensorized,rank=0.3,factors.codec=pq,factors.centroids=4",
        "codec=tensorized,rank=0.2,joint=x", "codec=tensorized,rank=3,form=cp,joint=x",
        "codec=tensorized,rank=0.5,form=tucker,modes=2,joint=x,factors.codec=pq,"
        "factors.centroids=4"));

}  // namespace
}  // namespace pqw
