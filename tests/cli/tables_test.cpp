// What the tables of the tool show, and how wide they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "tests/cli/cli_testing.h"
#include "timing/text_table.h"

namespace pqw {
namespace {

using test::Outcome;
using testing::Each;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
using timing::cut_in_middle;
using timing::text_table;

TEST(TextTable, AlignsCharactersAndLeavesOutEmptyColumns) {
  EXPECT_EQ(
      text_table({{"name", true}, {"none"}, {"n"}}, {{"\u00e9", "", "1"}, {"abcdef", "", "20"}}),
      "name     n\n\u00e9        1\nabcdef  20\n");
}

TEST(TextTable, CutsCellsThenLeavesOutColumnsToFit) {
  const std::vector<timing::Column> columns = {
      {"name", true, 5}, {"a", false, 0, 2}, {"b", false, 0, 1}};
  const std::vector<std::vector<std::string>> rows = {{"0123456789", "11", "22"}};
  EXPECT_EQ(text_table(columns, rows, 18), "name         a   b\n0123456789  11  22\n");
  EXPECT_EQ(text_table(columns, rows, 17), "name        a   b\n012...789  11  22\n");
  // 5 + 2 + 2 + 2 + 2 is 13; with one column less, the name has 12 - 4 characters.
  EXPECT_EQ(text_table(columns, rows, 12), "name       a\n01...789  11\n");
  EXPECT_EQ(text_table(columns, rows, 8), "name\n01...789\n");
  EXPECT_EQ(text_table(columns, rows, 4), "name\n...9\n");
}

TEST(TextTable, CutsBetweenCharacters) {
  EXPECT_EQ(cut_in_middle("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(cut_in_middle("abcdefgh", 7), "ab...gh");
  EXPECT_EQ(cut_in_middle("\u00e4\u00f6\u00fc\u00df\u20ac\u00e9", 5), "\u00e4...\u00e9");
  EXPECT_EQ(cut_in_middle("\u00e4\u00f6\u00fc\u00df", 2), "\u00e4\u00f6");
  EXPECT_EQ(cut_in_middle("abc", 0), "");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class Tables : public test::CliTest {
 protected:
  Outcome run_in(const char* columns, std::vector<std::string> arguments) const {
    return run(std::move(arguments), [=] {
      if (columns == nullptr) {
        ::unsetenv("COLUMNS");
      } else {
        ::setenv("COLUMNS", columns, 1);
      }
    });
  }
};

TEST_F(Tables, PlainTensorsAreOneLineUnlessAllAreAskedFor) {
  write_model("model.safetensors", {"conv.weight", "a.bias", "b.bias", "tiny"},
              {{64, 16, 3, 3}, {64}, {32}, {1, 2}});
  // (64 + 32 + 2) * 4 bytes
  const std::string line =
      "\n3 plain tensors, 392 B: rank below 2 (2), would not shrink (1); --all lists them\n";
  const Outcome dry = run({"quantize", "model.safetensors", "--dry-run"});
  EXPECT_THAT(dry.out, HasSubstr(line));
  const Outcome quantize = run({"quantize", "model.safetensors", "-o", "m.h5"});
  EXPECT_THAT(quantize.out, HasSubstr(line));
  EXPECT_THAT(quantize.out, Not(HasSubstr(".bias")));
  EXPECT_THAT(quantize.out, HasSubstr("total of 4"));
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"inspect", "m.h5"}, {"eval", "model.safetensors", "m.h5"}}) {
    EXPECT_THAT(run(verb).out, HasSubstr("\n3 plain tensors, 392 B; --all lists them\n"));
    std::vector<std::string> all = verb;
    all.push_back("--all");
    EXPECT_THAT(run(all).out, HasSubstr("\na.bias       [64]            other  plain"));
    EXPECT_THAT(run(all).out, Not(HasSubstr("plain tensors")));
  }
}

TEST_F(Tables, NarrowedTensorsAreInTheLineOfPlainOnes) {
  write_model("model.safetensors", {"conv.weight", "a.bias", "b.bias"},
              {{64, 16, 3, 3}, {64}, {32}});
  // 64 values of 2 bytes and 32 of 4; 32 values in F16 would not be smaller with their entry.
  const std::string line = "\n2 plain tensors, 256 B: ";
  for (const char* output : {"--dry-run", "-om.h5"}) {
    const Outcome outcome =
        run({"quantize", "model.safetensors", output, "--plain-dtype", "f16", "--json"});
    EXPECT_THAT(outcome.out, HasSubstr("\"rank below 2; stored as F16\""));
    const Outcome table =
        run({"quantize", "model.safetensors", "--dry-run", "--plain-dtype", "f16"});
    EXPECT_THAT(table.out, HasSubstr(line));
    EXPECT_THAT(table.out, HasSubstr("rank below 2; stored as F16 (1)"));
  }
  EXPECT_THAT(run({"inspect", "m.h5"}).out, HasSubstr(line + "stored as F16 (1)"));
  EXPECT_THAT(run({"eval", "model.safetensors", "m.h5"}).out,
              HasSubstr(line + "stored as F16 (1)"));
  EXPECT_THAT(run({"inspect", "m.h5", "--all"}).out,
              HasSubstr("\na.bias       [64]            other  cast"));
  EXPECT_EQ(run({"verify", "m.h5"}).status, 0);
  EXPECT_EQ(run({"quantize", "model.safetensors", "--dry-run", "--plain-dtype", "f32"}).status, 2);
}

TEST_F(Tables, InspectShowsOptionsThatAreNotDefaults) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--block-size", "4", "--seed", "3", "--set",
       "fc:seed=0"});
  const Outcome inspect = run({"inspect", "m.h5"});
  EXPECT_THAT(inspect.out, HasSubstr("  seed=3\n"));
  EXPECT_THAT(inspect.out, Not(HasSubstr("seed=0")));
  EXPECT_THAT(inspect.out, Not(HasSubstr("iterations")));
}

TEST_F(Tables, LinesFitTheColumns) {
  const std::string name =
      "encoder.layers.0.\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9.attention.query.weight";
  write_model("model.safetensors", {name, "fc"}, {{64, 256}, {64, 150}});
  const std::vector<std::string> quantize = {
      "quantize",  "model.safetensors",    "-o", "m.h5", "--force", "--codec", "low_rank",
      "--factors", "codec=pq,block_size=4"};
  const auto widths = [](const Outcome& outcome) {
    std::vector<std::size_t> all;
    for (const std::string& line : lines_of(outcome.out)) {
      if (line.find(" times smaller") != std::string::npos) break;  // the verdict: sentences
      all.push_back(static_cast<std::size_t>(
          std::ranges::count_if(line, [](char c) { return (c & '\xc0') != '\x80'; })));
    }
    return all;
  };
  for (const char* columns : {"60", "80", "120"}) {
    EXPECT_THAT(widths(run_in(columns, quantize)), Each(testing::Le(std::stoul(columns))));
    EXPECT_THAT(widths(run_in(columns, {"inspect", "m.h5"})),
                Each(testing::Le(std::stoul(columns))));
  }
  for (const char* columns : {static_cast<const char*>(nullptr), "0", "wide"}) {
    EXPECT_THAT(widths(run_in(columns, quantize)), Each(testing::Le(100u)));
  }
  EXPECT_THAT(run_in("80", {"inspect", "m.h5"}).out, HasSubstr("\nencoder."));
  for (const char* columns : {"250", "99999999999999999999"}) {
    EXPECT_THAT(run_in(columns, {"inspect", "m.h5"}).out, HasSubstr(name)) << columns;
  }
}

TEST_F(Tables, TheLineOfPlainTensorsIsNoWiderThanTheTerminal) {
  run({"quantize", "model.safetensors", "-o", "m.h5"});
  EXPECT_THAT(run_in("20", {"inspect", "m.h5"}).out, HasSubstr("\n1 plain ...ists them\n"));
  EXPECT_THAT(run_in("1", {"inspect", "m.h5"}).out, HasSubstr("\nt\n1\n"));
}

TEST_F(Tables, NothingHasNoTable) {
  test::set_content(dir_ / "none.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10));
  EXPECT_EQ(run({"inspect", "none.safetensors"}).out,
            "0 tensors, 0 elements, 0 B; 10 bytes on disk\n");
}

TEST_F(Tables, InspectListsTheTensorsOfAWeightFile) {
  const Outcome listing = run({"inspect", "model.safetensors"});
  EXPECT_EQ(listing.status, 0) << listing.err;
  // 64 * 16 * 9 * 4, 64 * 150 * 4 and 64 * 4 bytes
  EXPECT_THAT(listing.out, testing::StartsWith("tensor       dtype  shape           kind    bytes\n"
                                               "conv.weight  F32    [64, 16, 3, 3]  conv    36864\n"
                                               "fc.weight    F32    [64, 150]       linear  38400\n"
                                               "fc.bias      F32    [64]            other     256\n"
                                               "3 tensors, 18880 elements, 75.52 kB; "));
  run({"quantize", "model.safetensors", "-o", "m.h5"});
  for (const char* file : {"back.npz", "back.h5", "fc.npy"}) {
    std::vector<std::string> decode = {"decode", "m.h5", "-o", file};
    if (std::string(file) == "fc.npy") decode.insert(decode.end(), {"--tensor", "^fc.w"});
    ASSERT_EQ(run(decode).status, 0);
    EXPECT_THAT(run({"inspect", file}).out, HasSubstr("F32    [64, 150]")) << file;
  }
}

}  // namespace
}  // namespace pqw
