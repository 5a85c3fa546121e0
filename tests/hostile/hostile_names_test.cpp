// Messages about hostile names are one printable line of bounded length, whoever writes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/utf8.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/weight.h"
#include "pqw/compress/recipe.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/formats/weight_file.h"
#include "pqw/io/atomic_file.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

struct Name {
  std::string kind;  // CamelCase: the name of the test
  std::string text;
};

void PrintTo(const Name& name, std::ostream* out) { *out << name.kind; }

const std::vector<Name> kNames = {
    {"NewLine", "a\nb"},
    {"Control", "a\x1b[31m\x01\x7f"},
    {"ControlOfTwoBytes",
     "\xc2\x9b"
     "31m"},
    {"LineSeparator", "a\xe2\x80\xa8z"},
    {"RightToLeft",
     "\xe2\x80\xae"
     "ab"},
    {"NotUtf8", "\xff\xfe\xc3"},
    {"TenKilobytes", std::string(10'000, 'x')},
    {"TenKilobytesNotUtf8", std::string(10'000, '\x80')},
    {"CharacterAtTheCut", std::string(199, 'x') + "\xf0\x9f\x98\x80" + std::string(50, 'y')},
};

// A call that has to fail, and names what it is given.
struct Call {
  std::string what;
  std::function<void(const std::string& name, const std::string& folder)> run;
};

std::unique_ptr<WeightWriter> create(const std::string& path, std::vector<TensorInfo> tensors) {
  return create_weights(path, std::move(tensors), {});
}

void write_too_little(const std::string& path, const std::string& name) {
  create(path, {{name, DType::kF32, {2}}})->add(std::vector<std::byte>(3));
}

void read_cut(const std::string& path, const std::string& name) {
  const auto writer = create(path, {{name, DType::kF32, {2}}});
  writer->add(std::vector<std::byte>(8));
  writer->commit();
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  (void)open_weights(path);
}

Record record_of(const std::string& name, const std::string& codec, const std::string& section) {
  return {{name, DType::kF32, {1}}, codec, {}, "", {{section, DType::kU8, {1}, {std::byte{0}}}}};
}

void add_record(const std::string& folder, const Record& record) {
  ArchiveWriter(folder + "/out.h5", {}).add(record);
}

void read_yaml(const std::string& folder, const std::string& text) {
  std::ofstream(folder + "/r.yaml") << text;
  (void)read_recipe(folder + "/r.yaml");
}

const std::vector<Call> kCalls = {
    {"open_weights", [](auto& name, auto& folder) { (void)open_weights(folder + "/" + name); }},
    {"ArchiveReader", [](auto& name, auto& folder) { ArchiveReader(folder + "/" + name); }},
    {"verify_digest", [](auto& name, auto& folder) { verify_digest(folder + "/" + name); }},
    {"AtomicFile", [](auto& name, auto& folder) { AtomicFile(folder + "/" + name + "/x"); }},
    {"extension", [](auto& name, auto& folder) { (void)create(folder + "/x." + name, {}); }},
    {"names twice",
     [](auto& name, auto& folder) {
       (void)create(folder + "/x.npz", {{name, DType::kF32, {}}, {name, DType::kF32, {}}});
     }},
    {"npz", [](auto& name, auto& folder) { write_too_little(folder + "/x.npz", name); }},
    {"npy", [](auto& name, auto& folder) { write_too_little(folder + "/x.npy", name); }},
    {"h5", [](auto& name, auto& folder) { write_too_little(folder + "/x.h5", name); }},
    {"safetensors",
     [](auto& name, auto& folder) { write_too_little(folder + "/x.safetensors", name); }},
    {"cut safetensors",
     [](auto& name, auto& folder) { read_cut(folder + "/x.safetensors", name); }},
    {"archive, plain",
     [](auto& name, auto& folder) {
       ArchiveWriter(folder + "/x.h5", {}).add_plain({name, DType::kF32, {2}}, {});
     }},
    {"archive, codec",
     [](auto& name, auto& folder) { add_record(folder, record_of("w", name, "codes")); }},
    {"archive, section",
     [](auto& name, auto& folder) { add_record(folder, record_of("w", "pq", name)); }},
    {"codec", [](auto& name, auto&) { (void)weight_from_record(record_of("w", name, "codes")); }},
    {"rule", [](auto& name, auto&) { (void)parse_rule(name); }},
    {"recipe, key", [](auto& name, auto& folder) { read_yaml(folder, "\"" + name + "\": 1"); }},
    {"recipe, option",
     [](auto& name, auto& folder) { read_yaml(folder, "defaults: {\"" + name + "\": 1}"); }},
    {"recipe, value",
     [](auto& name, auto& folder) {
       read_yaml(folder, "defaults: {block_size: \"" + name + "\"}");
     }},
    {"record", [](auto& name, auto&) { (void)weight_from_record(record_of(name, "pq", "x")); }},
};

std::optional<std::string> message_of(const Call& call, const Name& name) {
  const test::TempDir folder;
  try {
    call.run(name.text, folder.path());
    return std::nullopt;
  } catch (const Error& error) {
    return error.what();
  }
}

class HostileName : public testing::TestWithParam<Name> {};

TEST_P(HostileName, IsOnePrintableLineInEveryMessage) {
  for (const Call& call : kCalls) {
    SCOPED_TRACE(call.what);
    const auto message = message_of(call, GetParam());
    ASSERT_TRUE(message) << "no error";
    EXPECT_TRUE(is_utf8(*message)) << *message;
    EXPECT_EQ(printable(*message), *message);
    EXPECT_LT(message->size(), 2000u);  // 200 bytes of a name, each as \xHH, in a few places
  }
}

INSTANTIATE_TEST_SUITE_P(Names, HostileName, testing::ValuesIn(kNames),
                         [](const auto& name) { return name.param.kind; });

}  // namespace
}  // namespace pqw
