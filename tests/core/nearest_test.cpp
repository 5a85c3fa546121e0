#include <gtest/gtest.h>

#include "pqw/core/text.h"

namespace pqw {
namespace {

const Words kVerbs = {"quantize", "decode", "inspect", "verify", "eval", "bench"};

TEST(Nearest, OneEditForEveryThreeLetters) {
  EXPECT_EQ(nearest("quantise", kVerbs), "quantize");  // another letter
  EXPECT_EQ(nearest("deocde", kVerbs), "decode");      // two swapped
  EXPECT_EQ(nearest("inspct", kVerbs), "inspect");     // one less
  EXPECT_EQ(nearest("verifyy", kVerbs), "verify");     // one more
  EXPECT_EQ(nearest("evil", kVerbs), "eval");
  EXPECT_EQ(nearest("oval", kVerbs), "eval");
  EXPECT_EQ(nearest("oral", kVerbs), "") << "two edits of four letters";
  EXPECT_EQ(nearest("encode", kVerbs), "decode");
  EXPECT_EQ(nearest("compress", kVerbs), "");
  EXPECT_EQ(nearest("", kVerbs), "");
  EXPECT_EQ(nearest("pg", {"pq", "int8"}), "pq");
  EXPECT_EQ(nearest("x", {"pq", "a"}), "") << "nothing in common";
}

TEST(Nearest, WordsThatWereBegun) {
  EXPECT_EQ(nearest("quant", kVerbs), "quantize");
  EXPECT_EQ(nearest("qu", kVerbs), "") << "too short to tell";
}

TEST(Nearest, CaseAndHyphensCountNothing) {
  EXPECT_EQ(nearest("Block-Size", {"centroids", "block_size"}), "block_size");
}

TEST(Nearest, TheNearestCountsThenTheFirst) {
  EXPECT_EQ(nearest("rows", {"rowss", "row"}), "rowss");
  EXPECT_EQ(nearest("f31", {"f16", "f32", "f33"}), "f32");
  EXPECT_EQ(nearest("energy", {"energy_of", "energi"}), "energy_of");
}

TEST(Nearest, EndlessWordsAreNone) { EXPECT_EQ(nearest(std::string(1 << 20, 'a'), {"a"}), ""); }

TEST(DidYouMean, IsTheEndOfAMessage) {
  EXPECT_EQ(did_you_mean("quantise", kVerbs), "; did you mean 'quantize'?");
  EXPECT_EQ(did_you_mean("zip", kVerbs), "");
}

TEST(Listed, ReadsAsASentence) {
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed({"a"}), "a");
  EXPECT_EQ(listed({"a", "b"}), "a or b");
  EXPECT_EQ(listed({"a", "b", "c"}), "a, b or c");
}

}  // namespace
}  // namespace pqw
