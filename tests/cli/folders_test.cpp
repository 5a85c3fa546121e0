// Folders of models, and standard input and output, as users meet them.
#include <fcntl.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cli/cli_testing.h"

namespace pqw {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::content;
using test::Outcome;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Folders : public test::CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    fs::create_directory(dir_ / "in");
    write_model("in/model-00001-of-00002.safetensors", {"a.weight"}, {{64, 150}});
    write_model("in/model-00002-of-00002.safetensors", {"b.weight", "head.weight"},
                {{64, 100}, {64, 100}});
    test::set_content(dir_ / "in/model.safetensors.index.json",
                      R"({"weight_map":{"a.weight":"model-00001-of-00002.safetensors",)"
                      R"("b.weight":"model-00002-of-00002.safetensors",)"
                      R"("head.weight":"model-00002-of-00002.safetensors"}})");
    test::set_content(dir_ / "in/config.json", R"({"model_type":"tiny"})");
    test::set_content(dir_ / "in/tokenizer.json", "{}");
  }

  std::vector<std::string> names_in(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_ / folder)) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }

  // Runs the tool with these files as its standard input and output.
  Outcome run_with(const std::vector<std::string>& arguments, const std::string& input,
                   const std::string& output = "out.txt") const {
    return run(arguments, [&] {
      ::dup2(::open(input.c_str(), O_RDONLY), STDIN_FILENO);
      ::dup2(::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    });
  }
};

TEST_F(Folders, WhatIsNotCopiedIsNoted) {
  const auto note = [&](const std::string& output) {
    const Outcome outcome = run({"quantize", "in", "-o", output, "--codec", "int8"});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    const std::size_t at = outcome.err.find("not copied");
    return at == outcome.err.npos ? "" : outcome.err.substr(at, outcome.err.find('\n', at) - at);
  };
  EXPECT_EQ(note("none/"), "");
  fs::create_directory(dir_ / "in/1_Pooling");
  for (const char* name : {".gitattributes", "logo.png", "pytorch_model.bin"}) {
    test::set_content(dir_ / ("in/" + std::string(name)), "x");
  }
  EXPECT_EQ(note("four/"),
            "not copied from in: .gitattributes, 1_Pooling/, logo.png, pytorch_model.bin");
  for (int i = 0; i < 7; ++i) fs::create_directory(dir_ / ("in/z" + std::to_string(i)));
  EXPECT_EQ(
      note("many/"),
      "not copied from in: .gitattributes, 1_Pooling/, logo.png, pytorch_model.bin, z0/, z1/, "
      "z2/, z3/ and 3 more");
  const Outcome quiet =
      run({"quantize", "in", "-o", "json/", "--codec", "int8", "--quiet", "--json"});
  EXPECT_THAT(quiet.err, testing::HasSubstr("not copied from in: "));
  const auto names = nlohmann::json::parse(quiet.out)["not_copied"];
  ASSERT_EQ(names.size(), 11u);
  EXPECT_EQ(names[0], ".gitattributes");
}

TEST_F(Folders, NoOutputReplacesAFileOfTheModel) {
  const auto before = [&] {
    std::string all;
    for (const std::string& name : names_in("in")) all += name + content(dir_ / ("in/" + name));
    return all;
  };
  const std::string all = before();
  for (const std::string name : {"model-00002-of-00002.safetensors", "model.safetensors.index.json",
                                 "config.json", "tokenizer.json"}) {
    for (const std::string input : {"in", "in/model.safetensors.index.json"}) {
      for (const char* dry : {"--force", "--dry-run"}) {
        expect_error(run({"quantize", input, "-o", "m.h5", "--output-recipe", "in/" + name,
                          "--force", "--quiet", dry}),
                     2, "input and output are the same file");
      }
    }
  }
  test::set_content(dir_ / "in/vocab.model", "x");
  expect_error(run({"quantize", "in", "-o", "in/vocab.model", "--force", "--quiet"}), 2,
               "in/vocab.model: input and output are the same file");
  fs::remove(dir_ / "in/vocab.model");
  EXPECT_EQ(before(), all);
}

TEST_F(Folders, DecodingReplacesNoFileOfAnArchiveThatIsAFolder) {
  fs::create_directory(dir_ / "one");
  test::write_normal_weights(dir_ / "one/model.safetensors", {{"l.weight", DType::kF32, {64, 96}}});
  test::set_content(dir_ / "one/config.json", "{}");
  ASSERT_EQ(run({"quantize", "one", "-o", "small/", "--codec", "pq"}).status, 0);
  const auto all = [&] {
    return content(dir_ / "small/model.h5") + content(dir_ / "small/config.json");
  };
  const std::string before = all();
  write_model("t.h5", {"l.weight"}, {{64, 96}});
  expect_error(run({"decode", "small", "--template", "t.h5", "-o", "small/model.h5", "--force"}), 2,
               "small/model.h5: input and output are the same file");
  expect_error(run({"export", "small", "--format", "aqlm", "-o", "small", "--force"}), 2,
               "small/config.json: input and output are the same file");
  expect_error(run({"export", "small", "--format", "onnx", "--template", "t.h5", "-o",
                    "small/model.h5", "--force"}),
               2, "small/model.h5: input and output are the same file");
  EXPECT_EQ(all(), before);
}

TEST_F(Folders, AModelGoesThroughAFolderAndBack) {
  const Outcome quantize = run({"quantize", "in", "-o", "small/", "--exclude", "head"});
  ASSERT_EQ(quantize.status, 0) << quantize.err;
  EXPECT_THAT(names_in("small"), ElementsAre("config.json", "model.h5", "tokenizer.json"));
  const json config = json::parse(content(dir_ / "small/config.json"));
  EXPECT_EQ(config["model_type"], "tiny");
  EXPECT_EQ(config["quantization_config"]["quant_method"], "pqw");
  EXPECT_EQ(config["quantization_config"]["modules_to_not_convert"], json({"head"}));

  EXPECT_EQ(run({"verify", "small"}).status, 0);
  EXPECT_THAT(run({"inspect", "small/"}).out, HasSubstr("a.weight"));
  EXPECT_EQ(run({"eval", "in", "small"}).status, 0);

  const Outcome decode = run({"decode", "small", "-o", "back/"});
  ASSERT_EQ(decode.status, 0) << decode.err;
  EXPECT_THAT(names_in("back"), ElementsAre("config.json", "model-00001-of-00002.safetensors",
                                            "model-00002-of-00002.safetensors",
                                            "model.safetensors.index.json", "tokenizer.json"));
  EXPECT_EQ(json::parse(content(dir_ / "back/config.json")), json({{"model_type", "tiny"}}));
  const auto reader = open_weights(dir_ / "back"), original = open_weights(dir_ / "in");
  EXPECT_EQ(reader->tensors(), original->tensors());
  EXPECT_EQ(reader->metadata(), (Metadata{{"format", "pt"}}));
  const json index = json::parse(content(dir_ / "back/model.safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_size"], 4 * (64 * 150 + 2 * 64 * 100));
}

TEST_F(Folders, TheArchiveIsThatOfTheIndex) {
  EXPECT_EQ(run({"quantize", "in", "-o", "a.h5"}).status, 0);
  EXPECT_EQ(run({"quantize", "in/model.safetensors.index.json", "-o", "b/"}).status, 0);
  EXPECT_EQ(content(dir_ / "a.h5"), content(dir_ / "b/model.h5"));
  EXPECT_TRUE(exists("b/config.json"));
}

TEST_F(Folders, ATensorInTwoShardsIsStoredOnce) {
  write_model("in/model-00002-of-00002.safetensors", {"b.weight", "head.weight"},
              {{64, 100}, {64, 150}});
  const auto writer =
      create_weights(dir_ / "twice.safetensors", {{"tied.weight", DType::kF32, {64, 150}}});
  writer->add(open_weights(dir_ / "in/model-00001-of-00002.safetensors")->read(0));
  writer->commit();
  fs::rename(dir_ / "twice.safetensors", dir_ / "in/tied.safetensors");
  fs::remove(dir_ / "in/model.safetensors.index.json");
  const Outcome quantize = run({"quantize", "in", "-o", "a.h5", "--all"});
  EXPECT_THAT(quantize.out, HasSubstr("same as 'a.weight'"));
}

TEST_F(Folders, AFullFolderNeedsForce) {
  EXPECT_EQ(run({"quantize", "in", "-o", "small/"}).status, 0);
  const std::string archive = content(dir_ / "small/model.h5");
  expect_failure(run({"quantize", "in", "-o", "small/", "--quiet"}),
                 "small/: exists already, and is not empty; --force replaces it");
  EXPECT_EQ(run({"quantize", "in", "-o", "small/", "--force"}).status, 0);
  EXPECT_EQ(content(dir_ / "small/model.h5"), archive);
}

TEST_F(Folders, AnInputIsNeverReplaced) {
  expect_error(run({"quantize", "in", "-o", "in/", "--force", "--quiet"}), 2,
               "input and output are the same file");
  expect_error(
      run({"quantize", "in/model-00001-of-00002.safetensors", "-o", "in/", "--force", "--quiet"}),
      2, "which is replaced");
  fs::create_directory(dir_ / "other");
  fs::rename(dir_ / "in/model-00001-of-00002.safetensors", dir_ / "other/w.safetensors");
  fs::create_symlink("../other/w.safetensors", dir_ / "in/model-00001-of-00002.safetensors");
  expect_error(run({"quantize", "in", "-o", "other/", "--force", "--quiet"}), 2,
               "which is replaced");
  EXPECT_TRUE(exists("other/w.safetensors"));
}

TEST_F(Folders, AFailedRunLeavesNoFolder) {
  test::set_content(dir_ / "in/config.json", "{");
  expect_failure(run({"quantize", "in", "-o", "small/", "--quiet"}), "config.json: not valid JSON");
  EXPECT_THAT(files("small"), IsEmpty());
}

TEST_F(Folders, ASignalLeavesNoFolder) {
  write_model("long.safetensors", {"long.weight"}, {{2048, 512}});
  const pid_t child =
      start({"quantize", "long.safetensors", "-o", "small/", "--iterations", "1000000",
             "--tolerance", "0", "--block-size", "4", "--centroids", "2048"});
  ASSERT_TRUE(wait_for(child, "small.pqw.tmp/model.h5.pqw.tmp"));
  ::kill(child, SIGTERM);
  EXPECT_EQ(finish(child).status, 128 + SIGTERM);
  EXPECT_THAT(files("small"), IsEmpty());
}

TEST_F(Folders, AFolderWithoutAnArchiveIsNamed) {
  expect_failure(run({"decode", "in", "-o", "x.safetensors"}),
                 "in: a folder without the archive model.h5");
}

TEST_F(Folders, StandardInputMayBeAFileOrAPipe) {
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "a.h5"}).status, 0);
  EXPECT_EQ(run_with({"quantize", "-", "-o", "b.h5"}, "model.safetensors").status, 0);
  EXPECT_EQ(content(dir_ / "a.h5"), content(dir_ / "b.h5"));
  const std::string command = std::string("cat '") + (dir_ / "model.safetensors") + "' | '" +
                              PQW_COMMAND + "' quantize - -o '" + (dir_ / "c.h5") +
                              "' --quiet > /dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(content(dir_ / "a.h5"), content(dir_ / "c.h5"));
  EXPECT_EQ(run_with({"verify", "-"}, "a.h5").status, 0);
}

TEST_F(Folders, TheFileOfStandardInputIsNeverReplaced) {
  fs::copy_file(dir_ / "model.safetensors", dir_ / "m.h5");
  const Outcome outcome = run_with({"quantize", "-", "-o", "m.h5", "--force", "--quiet"}, "m.h5");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("-: input and output are the same file: m.h5"));
  EXPECT_EQ(content(dir_ / "m.h5"), content(dir_ / "model.safetensors"));
}

TEST_F(Folders, EmptyStandardInputIsAnError) {
  expect_failure(run_with({"quantize", "-", "-o", "m.h5", "--quiet"}, "/dev/null"),
                 "-: the file is empty");
}

TEST_F(Folders, DecodeWritesSafetensorsToStandardOutput) {
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "a.h5"}).status, 0);
  EXPECT_EQ(run({"decode", "a.h5", "-o", "back.safetensors"}).status, 0);
  const Outcome decode = run({"decode", "a.h5", "-o", "-"});
  EXPECT_EQ(decode.status, 0) << decode.err;
  EXPECT_EQ(decode.out, content(dir_ / "back.safetensors"));
  EXPECT_FALSE(exists("-"));
  expect_error(run({"decode", "a.h5", "-o", "-", "--json"}), 2, "--json prints to the standard");
  EXPECT_EQ(run_with({"decode", "a.h5", "-o", "-", "--quiet"}, "/dev/null", "/dev/full").status, 1);
}

}  // namespace
}  // namespace pqw
