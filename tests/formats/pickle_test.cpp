// Pickles as plain data.
#include "formats/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/errors.h"
#include "tests/support/pickle_building.h"

namespace pqw {
namespace {

using test::py_call;
using test::py_global;
using test::py_int;
using test::py_list;
using test::py_text;
using test::py_tuple;
using test::u32;
using test::u64;
using NodeKind = PickleNode::Kind;

// The root of a pickle of that value; the bytes must outlive it.
struct Read {
  explicit Read(const std::string& value)
      : bytes(test::pickled(value)), pickle(*read_pickle(Subject{"f"}, bytes)) {}

  const PickleValue& root() const { return pickle.root; }
  const std::vector<PickleValue>& items(NodeKind kind) const {
    return node_of(root(), kind)->items;
  }

  std::string bytes;
  Pickle pickle;
};

TEST(PickleTest, ReadsNumbers) {
  EXPECT_EQ(std::get<std::int64_t>(Read("J" + u32(0xfffffffe)).root()), -2);
  EXPECT_EQ(std::get<std::int64_t>(Read("K\xff").root()), 255);
  EXPECT_EQ(std::get<std::int64_t>(Read(std::string("M\x01\x02", 3)).root()), 0x201);
  EXPECT_EQ(std::get<std::int64_t>(Read(std::string("\x8a\x00", 2)).root()), 0);
  EXPECT_EQ(std::get<std::int64_t>(Read("\x8a\x01\xfe").root()), -2);
  EXPECT_EQ(std::get<std::int64_t>(Read(py_int(INT64_MIN)).root()), INT64_MIN);
  EXPECT_EQ(std::get<PickleLong>(Read("\x8a\x09" + std::string(9, '\1')).root()).bytes,
            std::string(9, '\1'));
  EXPECT_EQ(std::get<double>(Read(std::string("G\x3f\xf8\0\0\0\0\0\0", 9)).root()), 1.5);
  EXPECT_TRUE(std::get<bool>(Read("\x88").root()));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(Read("N").root()));
}

TEST(PickleTest, ReadsTextsAndBytesOfEveryLength) {
  for (const std::string& start : {std::string("\x8c\x02"), std::string("U\x02"), "X" + u32(2),
                                   "T" + u32(2), "\x8d" + u64(2)}) {
    EXPECT_EQ(text_of(Read(start + "ab").root()), "ab");
  }
  for (const std::string& start :
       {std::string("C\x02"), "B" + u32(2), "\x8e" + u64(2), "\x96" + u64(2)}) {
    EXPECT_EQ(std::get<PickleBytes>(Read(start + "ab").root()).bytes, "ab");
  }
}

TEST(PickleTest, ReadsContainersByEveryOpcode) {
  EXPECT_EQ(Read(")").items(NodeKind::kTuple).size(), 0u);
  EXPECT_EQ(Read("NN\x86").items(NodeKind::kTuple).size(), 2u);
  EXPECT_EQ(Read(py_tuple({"N", "N", "N"})).items(NodeKind::kTuple).size(), 3u);
  EXPECT_EQ(Read("]Na").items(NodeKind::kList).size(), 1u);
  EXPECT_EQ(Read(py_list({"N", "N"})).items(NodeKind::kList).size(), 2u);
  EXPECT_EQ(Read("}NNs").items(NodeKind::kDict).size(), 2u);
  EXPECT_EQ(Read("}(NNNNu").items(NodeKind::kDict).size(), 4u);
  EXPECT_EQ(Read("\x8f(NN\x90").items(NodeKind::kSet).size(), 2u);
  EXPECT_EQ(Read("(NN\x91").items(NodeKind::kSet).size(), 2u);
}

TEST(PickleTest, RemembersValues) {
  const Read put(std::string("]q\0h\0\x86", 6));  // fails unless both are on the stack
  EXPECT_EQ(std::get<PickleNode*>(put.items(NodeKind::kTuple)[0]),
            std::get<PickleNode*>(put.items(NodeKind::kTuple)[1]));
  const Read memoized(std::string("]\x94") + "j" + u32(0) + "\x86");
  EXPECT_EQ(std::get<PickleNode*>(memoized.items(NodeKind::kTuple)[0]),
            std::get<PickleNode*>(memoized.items(NodeKind::kTuple)[1]));
}

TEST(PickleTest, PopsAndDuplicates) {
  EXPECT_EQ(std::get<std::int64_t>(Read("K\1K\x02"
                                        "0")
                                       .root()),
            1);
  EXPECT_EQ(std::get<std::int64_t>(Read("K\1(NN1").root()), 1);
  EXPECT_EQ(std::get<std::int64_t>(Read("K\1(0").root()), 1);
  EXPECT_EQ(Read("K\1"
                 "2\x86")
                .items(NodeKind::kTuple)
                .size(),
            2u);
}

TEST(PickleTest, KeepsCallsAsData) {
  const Read read(py_call(py_global("os", "system"), {py_text("true")}));
  const auto& items = read.items(NodeKind::kObject);
  EXPECT_TRUE(is_global(items[0], "os", "system"));
  EXPECT_EQ(text_of(node_of(items[1], NodeKind::kTuple)->items[0]), "true");
}

TEST(PickleTest, KeepsTheStateOfAnObject) {
  const Read read(py_global("m", "C") +
                  ")\x81K\x07"
                  "b");
  EXPECT_EQ(std::get<std::int64_t>(node_of(read.root(), NodeKind::kObject)->state.at(0)), 7);
}

TEST(PickleTest, TakesOrderedAndDefaultDictsForDicts) {
  EXPECT_EQ(Read(test::py_ordered_dict({{"a", "N"}})).items(NodeKind::kDict).size(), 2u);
  const std::string pair = py_list({py_text("a"), "N"});  // Python 2
  EXPECT_EQ(Read(py_call(py_global("collections", "OrderedDict"), {py_list({pair, pair})}))
                .items(NodeKind::kDict)
                .size(),
            4u);
  EXPECT_EQ(Read(py_call(py_global("collections", "defaultdict"), {py_global("builtins", "list")}) +
                 "(NNu")
                .items(NodeKind::kDict)
                .size(),
            2u);
}

TEST(PickleTest, StopsAtTheEndOfThePickle) {
  const std::string bytes = test::pickled("N") + "more";
  EXPECT_EQ(read_pickle(Subject{"f"}, bytes)->n_bytes, 4u);
}

TEST(PickleTest, SaysIfBytesAreMissing) {
  const std::string whole = test::pickled(py_tuple({py_text("text"), py_global("m", "n")}));
  for (std::size_t n = 0; n < whole.size(); ++n) {
    EXPECT_FALSE(read_pickle(Subject{"f"}, whole.substr(0, n))) << n;
  }
}

TEST(PickleTest, RefusesMoreOpcodesThanAllowed) {
  const std::string bytes(kMaxPickleOpcodes + 1, 'N');
  EXPECT_EQ(test::error_of([&] { read_pickle(Subject{"f"}, bytes); }).code(),
            ErrorCode::kUnsupported);
}

struct BadPickle {
  const char* name;
  std::string bytes;
  const char* message;
};
void PrintTo(const BadPickle& bad, std::ostream* out) { *out << bad.name; }

class BadPickleTest : public testing::TestWithParam<BadPickle> {};

TEST_P(BadPickleTest, IsRefused) {
  try {
    read_pickle(Subject{"f"}, GetParam().bytes);
    FAIL() << "was accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().message));
  }
}

const BadPickle kBadPickles[] = {
    {"UnknownOpcode", "\x80\x02\xff.", "opcode 0xff at byte 2 of the pickle"},
    {"TextProtocol", "I1\n.", "opcode 0x49"},
    {"ExtensionRegistry", "\x82\x01.", "opcode 0x82"},
    {"NewerProtocol", "\x80\x06N.", "the protocol is not one of 0 to 5"},
    {"EmptyStack", ".", "finds the stack empty"},
    {"TupleOfTooFew", "N\x87.", "opcode 0x87 needs 3 values"},
    {"PopsThroughAMark", "N(\x85.", "opcode 0x85 needs 1 values"},
    {"NoMark", "Nt.", "opcode 0x74 finds no mark"},
    {"MemoGap", "Nq\x01.", "entry 1 of the memo follows 0 entries"},
    {"HugeMemo", "Nr\xff\xff\xff\xff.", "entry 4294967295 of the memo"},
    {"MemoMissing", std::string("h\0.", 3), "entry 0 of the memo does not exist"},
    {"AppendsToANumber", "K\1Na.", "changes a value that cannot change"},
    {"AppendsToADict", "}Na.", "adds to a value of another kind"},
    {"AddsItemsToATuple", ")NNs.", "adds to a value of another kind"},
    {"KeyWithoutValue", "}(NNNu.", "a key without a value"},
    {"GlobalOfNumbers", "K\1K\1\x93.", "the name of a global is not text"},
    {"CallOfNoTuple", "cm\nn\nNR.", "the arguments of an object are not a tuple"},
    {"OrderedDictOfNoList", "ccollections\nOrderedDict\nN\x85R.",
     "the items of an OrderedDict are not a list"},
    {"OrderedDictOfNoPairs", "ccollections\nOrderedDict\n]Na\x85R.", "is not a pair"},
};

INSTANTIATE_TEST_SUITE_P(All, BadPickleTest, testing::ValuesIn(kBadPickles),
                         [](const auto& bad) { return std::string(bad.param.name); });

}  // namespace
}  // namespace pqw
