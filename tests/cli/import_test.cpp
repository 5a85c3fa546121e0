// pqw import: what it prints, and wrong command lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/cli_testing.h"

namespace pqw {
namespace {

using test::Outcome;
using testing::HasSubstr;
using testing::IsEmpty;

using CliImport = test::CliTest;

TEST_F(CliImport, MakesAnArchiveAndListsItsWeights) {
  write_quantized_layer();
  const Outcome made = run({"import", "q.npz", "-o", "q.h5", "--shape", "q.weight=[4,2]"});
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("imported: iPQ"));
  EXPECT_THAT(made.err, IsEmpty());
  EXPECT_THAT(run({"inspect", "q.h5"}).out, HasSubstr("block_size=2,centroids=2"));
  EXPECT_EQ(run({"decode", "q.h5", "-o", "q.npy"}).status, 0);
  expect_failure(run({"import", "q.npz", "-o", "q.h5", "--shape", "q.weight=[4,2]"}),
                 "q.h5: exists already; --force replaces it");
}

TEST_F(CliImport, QuantizeNamesItForCodes) {
  write_quantized_layer();
  EXPECT_THAT(run({"quantize", "q.npz", "--dry-run"}).err,
              HasSubstr("q.npz: tensor 'q.assignments' holds codes of another program, which were "
                        "taken for weights; take them over as they are: pqw import"));
}

TEST_F(CliImport, NamesWhatTheTemplateHasBesides) {
  write_quantized_layer();
  write_model("original.npz", {"q.weight", "bn.running_mean", "bn.running_var", "head.weight"},
              {{4, 2}, {4}, {4}, {2, 4}});
  const Outcome made = run({"import", "q.npz", "-o", "q.h5", "--template", "original.npz"});
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(made.err,
            "q.npz: lacks statistics of batch normalisation, without which the network does not "
            "work: 'bn.running_mean', 'bn.running_var'; pqw decode q.h5 --template ORIGINAL takes "
            "them from the original\n"
            "q.npz: lacks tensors of the template: 'head.weight'; pqw decode q.h5 --template "
            "ORIGINAL takes them from the original\n");
  EXPECT_THAT(
      run({"import", "q.npz", "-o", "q.h5", "--template", "original.npz", "--force", "--quiet"})
          .err,
      IsEmpty());
}

TEST_F(CliImport, ExportGivesTheLayoutOfAqlm) {
  write_quantized_layer();
  run({"import", "q.npz", "-o", "q.h5", "--shape", "q.weight=[4,2]"});
  const Outcome exported = run({"export", "q.h5", "--format", "aqlm", "-o", "folder"});
  EXPECT_EQ(exported.status, 0) << exported.err;
  EXPECT_THAT(exported.err,
              HasSubstr("1 tensor as codes of 8 bits for 2 weights; 0 tensors written in full\n"));
  EXPECT_EQ(run({"import", "folder/model.safetensors", "-o", "again.h5"}).status, 0);
  EXPECT_EQ(run({"eval", "q.h5", "again.h5", "--max-error", "0"}).status, 0);
  expect_failure(run({"export", "q.h5", "--format", "aqlm", "-o", "folder"}),
                 "folder/config.json: exists already; --force replaces it");
  expect_error(run({"export", "q.h5", "--format", "aqlm", "-o", "f", "--template", "q.npz"}), 2,
               "--format aqlm does not use a template");
  expect_error(run({"export", "q.h5", "--format", "gguf", "-o", "f"}), 2, "--format");
  expect_error(run({"export", "q.h5", "-o", "f.onnx"}), 2, "--template is required");
}

TEST_F(CliImport, MistakesAreNamed) {
  write_quantized_layer();
  for (const char* shape : {"q.weight", "q.weight=4,2", "q.weight=[4,2", "q.weight=[]", "=[4,2]",
                            "q.weight=[4,0]", "q.weight=[4,x]", "q.weight=[4,]", "q.weight=[-4,2]",
                            "q.weight=[99999999999999999999,2]"}) {
    expect_error(run({"import", "q.npz", "-o", "q.h5", "--shape", shape}), 2,
                 std::string("--shape: '") + shape + "': expected NAME=[OUT,IN,...]");
  }
  expect_failure(
      run({"import", "q.npz", "-o", "q.h5"}),
      "q.npz: tensor 'q.weight': the file does not tell its shape (4 codes of 2 weights); "
      "give the original as a template (--template ORIGINAL), or the shape (--shape "
      "'q.weight=[OUT,IN,...]')");
  expect_failure(run({"import", "model.safetensors", "-o", "q.h5"}),
                 "model.safetensors: holds no codes: expected tensors NAME.assignments");
}

}  // namespace
}  // namespace pqw
