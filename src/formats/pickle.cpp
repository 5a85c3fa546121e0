// Reads Python pickles without running them.
#include "formats/pickle.h"

#include <bit>
#include <utility>

#include "formats/byte_order.h"

namespace pqw {
namespace {

using NodeKind = PickleNode::Kind;
using Values = std::vector<PickleValue>;

// The bytes end before the pickle does.
struct EndsEarly {};

class Machine {
 public:
  Machine(const Subject& subject, std::string_view bytes) : subject_(subject), rest_(bytes) {}

  Pickle run() {
    const std::size_t n_bytes = rest_.size();
    for (std::size_t n = 1;; ++n) {
      if (n > kMaxPickleOpcodes) {
        throw subject_.error(ErrorCode::kUnsupported, "the pickle has more than {} opcodes",
                             kMaxPickleOpcodes);
      }
      opcode_ = take(1)[0];
      if (opcode_ == '.') break;
      if (!constant() && !text() && !container() && !memo() && !object()) {
        throw subject_.error(ErrorCode::kUnsupported,
                             "opcode {:#04x} at byte {} of the pickle; known are the opcodes of "
                             "protocols 2 to 5",
                             opcode(), n_bytes - rest_.size() - 1);
      }
    }
    pickle_.root = pop();
    pickle_.n_bytes = n_bytes - rest_.size();
    return std::move(pickle_);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> what, Args&&... args) const {
    throw subject_.error("the pickle is broken: {}",
                         fmt::format(what, std::forward<Args>(args)...));
  }

  unsigned opcode() const { return static_cast<unsigned char>(opcode_); }  // for messages

  std::string_view take(std::uint64_t n_bytes) {
    if (n_bytes > rest_.size()) throw EndsEarly{};
    const std::string_view taken = rest_.substr(0, n_bytes);
    rest_.remove_prefix(n_bytes);
    return taken;
  }

  // An unsigned number of `n_bytes` bytes, little-endian.
  std::uint64_t number(std::size_t n_bytes) {
    std::uint64_t value = 0;
    const std::string_view bytes = take(n_bytes);
    for (std::size_t i = n_bytes; i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
  }

  // The text up to the end of the line.
  std::string_view line() {
    const auto end = rest_.find('\n');
    if (end == rest_.npos) throw EndsEarly{};
    const std::string_view text = take(end);
    take(1);
    return text;
  }

  void push(PickleValue value) { stack_.push_back(value); }
  void push(NodeKind kind, Values items) {
    pickle_.nodes.push_back({kind, std::move(items)});
    push(&pickle_.nodes.back());
  }

  std::size_t bottom() const { return marks_.empty() ? 0 : marks_.back(); }

  PickleValue pop() {
    if (stack_.size() <= bottom()) fail("opcode {:#04x} finds the stack empty", opcode());
    const PickleValue value = stack_.back();
    stack_.pop_back();
    return value;
  }

  Values pop(std::size_t n) {
    if (stack_.size() - bottom() < n) fail("opcode {:#04x} needs {} values", opcode(), n);
    Values values(stack_.end() - static_cast<std::ptrdiff_t>(n), stack_.end());
    stack_.resize(stack_.size() - n);
    return values;
  }

  // The values above the last mark, which is removed.
  Values pop_marked() {
    if (marks_.empty()) fail("opcode {:#04x} finds no mark", opcode());
    Values values = pop(stack_.size() - marks_.back());
    marks_.pop_back();
    return values;
  }

  // The node on top of the stack, to which an opcode adds something.
  PickleNode& top() {
    if (stack_.size() <= bottom()) fail("opcode {:#04x} finds the stack empty", opcode());
    PickleNode* const* const node = std::get_if<PickleNode*>(&stack_.back());
    if (node == nullptr) fail("opcode {:#04x} changes a value that cannot change", opcode());
    return **node;
  }

  void add_to_top(NodeKind kind, const Values& values) {
    PickleNode& node = top();
    if (node.kind != kind && node.kind != NodeKind::kObject) {
      fail("opcode {:#04x} adds to a value of another kind", opcode());
    }
    if (kind == NodeKind::kDict && values.size() % 2 != 0) fail("a key without a value");
    node.items.insert(node.items.end(), values.begin(), values.end());
  }

  // None, numbers, and what has no value.
  bool constant() {
    switch (opcode_) {
      case '\x80':  // PROTO
        if (number(1) > 5) fail("the protocol is not one of 0 to 5");
        return true;
      case '\x95':  // FRAME
        number(8);
        return true;
      case 'N':  // NONE
        push(std::monostate{});
        return true;
      case '\x88':  // NEWTRUE
      case '\x89':  // NEWFALSE
        push(opcode_ == '\x88');
        return true;
      case 'J':  // BININT
        push(std::int64_t{static_cast<std::int32_t>(number(4))});
        return true;
      case 'K':  // BININT1
      case 'M':  // BININT2
        push(static_cast<std::int64_t>(number(opcode_ == 'K' ? 1 : 2)));
        return true;
      case '\x8a':  // LONG1
      case '\x8b':  // LONG4
        push(whole_number(take(number(opcode_ == '\x8a' ? 1 : 4))));
        return true;
      case 'G':  // BINFLOAT: big-endian
        push(std::bit_cast<double>(__builtin_bswap64(number(8))));
        return true;
      default:
        return false;
    }
  }

  static PickleValue whole_number(std::string_view bytes) {
    if (bytes.size() > sizeof(std::int64_t)) return PickleLong{bytes};
    std::uint64_t value = !bytes.empty() && bytes.back() < 0 ? ~std::uint64_t{0} : 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(bytes[i]);
    }
    return static_cast<std::int64_t>(value);
  }

  // Texts and bytes: their length, then they themselves.
  bool text() {
    switch (opcode_) {
      case '\x8c':  // SHORT_BINUNICODE
      case 'U':     // SHORT_BINSTRING
        push(PickleText{take(number(1))});
        return true;
      case 'X':  // BINUNICODE
      case 'T':  // BINSTRING
        push(PickleText{take(number(4))});
        return true;
      case '\x8d':  // BINUNICODE8
        push(PickleText{take(number(8))});
        return true;
      case 'C':  // SHORT_BINBYTES
        push(PickleBytes{take(number(1))});
        return true;
      case 'B':  // BINBYTES
        push(PickleBytes{take(number(4))});
        return true;
      case '\x8e':  // BINBYTES8
      case '\x96':  // BYTEARRAY8
        push(PickleBytes{take(number(8))});
        return true;
      default:
        return false;
    }
  }

  bool container() {
    switch (opcode_) {
      case '(':  // MARK
        marks_.push_back(stack_.size());
        return true;
      case ']':  // EMPTY_LIST
        push(NodeKind::kList, {});
        return true;
      case '}':  // EMPTY_DICT
        push(NodeKind::kDict, {});
        return true;
      case '\x8f':  // EMPTY_SET
        push(NodeKind::kSet, {});
        return true;
      case '\x91':  // FROZENSET
        push(NodeKind::kSet, pop_marked());
        return true;
      case ')':     // EMPTY_TUPLE
      case '\x85':  // TUPLE1
      case '\x86':  // TUPLE2
      case '\x87':  // TUPLE3
        push(NodeKind::kTuple,
             pop(opcode_ == ')' ? 0 : static_cast<std::size_t>(opcode_ - '\x84')));
        return true;
      case 't':  // TUPLE
        push(NodeKind::kTuple, pop_marked());
        return true;
      case 'a':  // APPEND
        add_to_top(NodeKind::kList, pop(1));
        return true;
      case 'e':  // APPENDS
        add_to_top(NodeKind::kList, pop_marked());
        return true;
      case 's':  // SETITEM
        add_to_top(NodeKind::kDict, pop(2));
        return true;
      case 'u':  // SETITEMS
        add_to_top(NodeKind::kDict, pop_marked());
        return true;
      case '\x90':  // ADDITEMS
        add_to_top(NodeKind::kSet, pop_marked());
        return true;
      default:
        return false;
    }
  }

  bool memo() {
    switch (opcode_) {
      case 'q':  // BINPUT
      case 'r':  // LONG_BINPUT
        memorize(number(opcode_ == 'q' ? 1 : 4));
        return true;
      case '\x94':  // MEMOIZE
        memorize(memo_.size());
        return true;
      case 'h':  // BINGET
      case 'j':  // LONG_BINGET
        recall(number(opcode_ == 'h' ? 1 : 4));
        return true;
      case '0':  // POP: also removes a mark
        if (!marks_.empty() && stack_.size() == marks_.back()) {
          marks_.pop_back();
        } else {
          pop();
        }
        return true;
      case '1':  // POP_MARK
        pop_marked();
        return true;
      case '2': {  // DUP
        const PickleValue value = pop();
        push(value);
        push(value);
        return true;
      }
      default:
        return false;
    }
  }

  // Python numbers its memo from 0 without gaps.
  void memorize(std::uint64_t index) {
    if (index > memo_.size()) {
      fail("entry {} of the memo follows {} entries", index, memo_.size());
    }
    const PickleValue value = pop();
    push(value);
    if (index == memo_.size()) memo_.emplace_back();
    memo_[index] = value;
  }

  void recall(std::uint64_t index) {
    if (index >= memo_.size()) fail("entry {} of the memo does not exist", index);
    push(memo_[index]);
  }

  bool object() {
    switch (opcode_) {
      case 'c': {  // GLOBAL
        const std::string_view module = line();
        push(NodeKind::kGlobal, {PickleText{module}, PickleText{line()}});
        return true;
      }
      case '\x93': {  // STACK_GLOBAL
        Values names = pop(2);
        for (const PickleValue& name : names) {
          if (!std::holds_alternative<PickleText>(name)) fail("the name of a global is not text");
        }
        push(NodeKind::kGlobal, std::move(names));
        return true;
      }
      case 'R':     // REDUCE
      case '\x81':  // NEWOBJ
        make_object(pop(2));
        return true;
      case '\x92':  // NEWOBJ_EX
        make_object(pop(3));
        return true;
      case 'b': {  // BUILD
        const PickleValue state = pop();
        top().state.push_back(state);
        return true;
      }
      case 'Q':  // BINPERSID
        push(NodeKind::kStored, pop(1));
        return true;
      default:
        return false;
    }
  }

  // OrderedDict and defaultdict are dicts here; every other object stays what would be called with
  // what.
  void make_object(Values items) {
    const PickleNode* const arguments = node_of(items[1], NodeKind::kTuple);
    if (arguments == nullptr) fail("the arguments of an object are not a tuple");
    if (is_global(items[0], "collections", "defaultdict")) {
      push(NodeKind::kDict, {});
      return;
    }
    if (!is_global(items[0], "collections", "OrderedDict")) {
      push(NodeKind::kObject, std::move(items));
      return;
    }
    Values pairs;
    for (const PickleValue& argument : arguments->items) {  // Python 2: one list of pairs
      const PickleNode* const list = node_of(argument, NodeKind::kList);
      if (list == nullptr) fail("the items of an OrderedDict are not a list");
      for (const PickleValue& pair : list->items) {
        const PickleNode* node = node_of(pair, NodeKind::kTuple);
        if (node == nullptr) node = node_of(pair, NodeKind::kList);
        if (node == nullptr || node->items.size() != 2) {
          fail("an item of an OrderedDict is not a pair");
        }
        if (++n_copied_ > kMaxPickleOpcodes) fail("OrderedDicts of too many items");
        pairs.insert(pairs.end(), node->items.begin(), node->items.end());
      }
    }
    push(NodeKind::kDict, std::move(pairs));
  }

  const Subject& subject_;
  std::string_view rest_;
  char opcode_ = 0;
  Pickle pickle_;
  Values stack_;
  Values memo_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::size_t n_copied_ = 0;        // pairs of OrderedDicts
};

}  // namespace

std::optional<Pickle> read_pickle(const Subject& subject, std::string_view bytes) try {
  return Machine(subject, bytes.substr(0, kMaxPickleBytes)).run();
} catch (const EndsEarly&) {
  return std::nullopt;
}

const PickleNode* node_of(const PickleValue& value, PickleNode::Kind kind) {
  PickleNode* const* const node = std::get_if<PickleNode*>(&value);
  return node != nullptr && (*node)->kind == kind ? *node : nullptr;
}

std::string_view text_of(const PickleValue& value) {
  const PickleText* const text = std::get_if<PickleText>(&value);
  return text == nullptr ? std::string_view() : text->text;
}

bool is_global(const PickleValue& value, std::string_view module, std::string_view name) {
  const PickleNode* const node = node_of(value, PickleNode::Kind::kGlobal);
  return node != nullptr && text_of(node->items[0]) == module && text_of(node->items[1]) == name;
}

}  // namespace pqw
