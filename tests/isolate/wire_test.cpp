#include "isolate/wire.h"

#include <gtest/gtest.h>

#include "pqw/core/error.h"

namespace pqw {
namespace {

using namespace std::string_literals;

std::vector<std::byte> message() {
  WireWriter out;
  out.number(7);
  out.text("a\0b"s);
  out.tensor({"w", DType::kBool, {2, 0, 3}, {}, {Kind::kConv, {2, 1, 0}}});
  return out.take();
}

void read(std::span<const std::byte> bytes) {
  WireReader in(bytes, Subject{"f", ErrorCode::kCorrupt});
  EXPECT_EQ(in.number(), 7u);
  EXPECT_EQ(in.text(), "a\0b"s);
  EXPECT_EQ(in.tensor(), (TensorInfo{"w", DType::kBool, {2, 0, 3}, {}, {Kind::kConv, {2, 1, 0}}}));
  in.finish();
}

TEST(Wire, GivesBackWhatWasWritten) { EXPECT_NO_THROW(read(message())); }

TEST(Wire, EveryTruncationIsRefused) {
  const auto bytes = message();
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THROW(
        {
          WireReader in({bytes.data(), n}, Subject{"f", ErrorCode::kCorrupt});
          in.number();
          in.text();
          in.tensor();
        },
        Error)
        << n;
  }
}

TEST(Wire, BytesThatAreLeftAreRefused) {
  auto bytes = message();
  bytes.push_back(std::byte{0});
  EXPECT_THROW(read(bytes), Error);
}

// A tensor as whoever took the child over might describe it.
bool is_accepted(std::uint64_t dtype, const std::vector<std::uint64_t>& shape,
                 std::uint64_t kind = 0, const std::vector<std::uint64_t>& axes = {}) {
  WireWriter out;
  out.text("w");
  out.number(dtype);
  out.number(shape.size());
  for (const std::uint64_t dim : shape) out.number(dim);
  out.number(kind);
  out.number(axes.size());
  for (const std::uint64_t axis : axes) out.number(axis);
  const auto bytes = out.take();
  try {
    WireReader(bytes, Subject{"f", ErrorCode::kCorrupt}).tensor();
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(Wire, ImpossibleTensorsAreRefused) {
  const auto last = static_cast<std::uint64_t>(DType::kBool);
  EXPECT_TRUE(is_accepted(last, {1}));
  EXPECT_FALSE(is_accepted(last + 1, {1}));
  EXPECT_TRUE(is_accepted(0, std::vector<std::uint64_t>(32, 1)));
  EXPECT_FALSE(is_accepted(0, std::vector<std::uint64_t>(33, 1)));
  EXPECT_FALSE(is_accepted(0, {1ull << 32, 1ull << 32}));
  EXPECT_FALSE(is_accepted(0, {~0ull}));
  const auto last_kind = static_cast<std::uint64_t>(Kind::kOther);
  EXPECT_TRUE(is_accepted(0, {2, 3}, last_kind, {1, 0}));
  EXPECT_FALSE(is_accepted(0, {2, 3}, last_kind + 1));
  EXPECT_FALSE(is_accepted(0, {2, 3}, 0, {0}));
  EXPECT_FALSE(is_accepted(0, {2, 3}, 0, {1, 1}));
  EXPECT_FALSE(is_accepted(0, {2, 3}, 0, {0, 2}));
  EXPECT_FALSE(is_accepted(0, {2, 3}, 0, {0, 1, 2}));
}

}  // namespace
}  // namespace pqw
