// Python pickles as plain data: nothing is imported, called or run.
//
// Layout: opcodes of one byte, each followed by its argument (Python's pickletools lists them). They
// work on a stack and a memo of values; STOP ends the pickle with the value on the stack. Read are
// the opcodes that Python writes for protocols 2 to 5.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/subject.h"

namespace pqw {

// A pickle has at most as many bytes and opcodes. PyTorch needs about 60 opcodes for a tensor.
inline constexpr std::size_t kMaxPickleBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxPickleOpcodes = std::size_t{1} << 22;

struct PickleNode;

struct PickleText {  // str, and the str of Python 2
  std::string_view text;
};
struct PickleBytes {  // bytes, bytearray
  std::string_view bytes;
};
struct PickleLong {  // an int of more than 8 bytes: little-endian, two's complement
  std::string_view bytes;
};

// None, bool, int, float, ...; std::monostate is None. Texts and bytes point into the pickle.
using PickleValue = std::variant<std::monostate, bool, std::int64_t, double, PickleText,
                                 PickleBytes, PickleLong, PickleNode*>;

// A value that others may share, and that may contain itself.
struct PickleNode {
  enum class Kind {
    kTuple,   // items: the elements
    kList,    // items: the elements
    kSet,     // items: the elements
    kDict,    // items: key, value, key, value, ... as they were set
    kGlobal,  // items: texts of the module and the name
    kObject,  // items: what would be called to make it, its arguments, then what would be added
    kStored,  // items: the persistent id of a value that is kept outside the pickle
  };
  Kind kind;
  std::vector<PickleValue> items = {};
  std::vector<PickleValue> state = {};  // what BUILD would set: attributes
};

struct Pickle {
  std::deque<PickleNode> nodes;
  PickleValue root;
  std::size_t n_bytes = 0;  // up to STOP
};

// Reads the pickle that `bytes` starts with, and keeps pointing into them. Empty if they end before
// STOP. Errors: kFormat; kUnsupported (an opcode, or more of them than allowed).
std::optional<Pickle> read_pickle(const Subject& subject, std::string_view bytes);

// The node, if the value is one of that kind; else null.
const PickleNode* node_of(const PickleValue& value, PickleNode::Kind kind);

// Whether the value is the global MODULE.NAME.
bool is_global(const PickleValue& value, std::string_view module, std::string_view name);

// The text; empty if the value is not a text.
std::string_view text_of(const PickleValue& value);

}  // namespace pqw
