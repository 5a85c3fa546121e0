// Views of storages against element-by-element references.
#include "formats/strided_view.h"

#include <gtest/gtest.h>

#include <cstring>

namespace pqw {
namespace {

// Storage element i holds the number i.
std::vector<std::uint32_t> counting(std::size_t n) {
  std::vector<std::uint32_t> storage(n);
  for (std::size_t i = 0; i < n; ++i) storage[i] = static_cast<std::uint32_t>(i);
  return storage;
}

struct ReadView {
  std::vector<std::uint32_t> tensor;
  std::size_t n_reads = 0;
  std::size_t largest = 0;  // bytes of a read
};

ReadView read(const StridedView& view, const std::vector<std::uint32_t>& storage,
              bool at_once = false) {
  ReadView result;
  result.tensor.resize(element_count(view.shape));
  const auto source = [&](std::uint64_t begin, std::span<std::byte> bytes) {
    ASSERT_LE(begin + bytes.size(), storage.size() * 4);
    std::memcpy(bytes.data(), reinterpret_cast<const char*>(storage.data()) + begin, bytes.size());
    ++result.n_reads;
    result.largest = std::max(result.largest, bytes.size());
  };
  read_view(view, 4, at_once, source, std::as_writable_bytes(std::span(result.tensor)));
  return result;
}

TEST(StridedViewTest, ReadsARangeAtOnce) {
  const auto result = read({2, {2, 3}, {3, 1}}, counting(10));
  EXPECT_EQ(result.tensor, (std::vector<std::uint32_t>{2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(result.n_reads, 1u);
}

TEST(StridedViewTest, ReadsTransposed) {
  EXPECT_EQ(read({0, {3, 2}, {1, 3}}, counting(6)).tensor,
            (std::vector<std::uint32_t>{0, 3, 1, 4, 2, 5}));
}

TEST(StridedViewTest, ReadsExpanded) {
  EXPECT_EQ(read({1, {2, 2}, {1, 0}}, counting(4)).tensor,
            (std::vector<std::uint32_t>{1, 1, 2, 2}));
}

TEST(StridedViewTest, ReadsScalarsAndNothing) {
  EXPECT_EQ(read({3, {}, {}}, counting(4)).tensor, (std::vector<std::uint32_t>{3}));
  EXPECT_EQ(read({3, {0, 2}, {5, 5}}, counting(4)).n_reads, 0u);
}

TEST(StridedViewTest, ReadsAFewElementsOfALargeStorageInSmallParts) {
  const StridedView column{7, {40, 2}, {10'000, 1}};
  const auto storage = counting(400'000);
  const auto result = read(column, storage);
  for (std::size_t i = 0; i < 80; ++i) {
    EXPECT_EQ(result.tensor[i], 7 + i / 2 * 10'000 + i % 2);
  }
  EXPECT_LE(result.largest, 64u * 1024);
  EXPECT_EQ(read(column, storage, true).tensor, result.tensor);
}

TEST(StridedViewTest, WritesWhatItReads) {
  for (const StridedView& view : {StridedView{2, {2, 3}, {3, 1}}, StridedView{0, {3, 2}, {1, 3}},
                                  StridedView{1, {2, 2, 2}, {50'000, 3, 20}}}) {
    std::vector<std::uint32_t> storage = counting(60'000);
    std::vector<std::uint32_t> tensor(element_count(view.shape));
    for (std::size_t i = 0; i < tensor.size(); ++i)
      tensor[i] = static_cast<std::uint32_t>(90'000 + i);
    auto* const bytes = reinterpret_cast<std::byte*>(storage.data());
    write_view(
        view, 4,
        [&](std::uint64_t begin, std::span<std::byte> part) {
          std::memcpy(part.data(), bytes + begin, part.size());
        },
        [&](std::uint64_t begin, std::span<const std::byte> part) {
          std::memcpy(bytes + begin, part.data(), part.size());
        },
        std::as_bytes(std::span(tensor)));
    EXPECT_EQ(read(view, storage).tensor, tensor);
    std::size_t n_changed = 0;
    for (std::size_t i = 0; i < storage.size(); ++i) n_changed += storage[i] != i;
    EXPECT_EQ(n_changed, tensor.size());
  }
}

TEST(StridedViewTest, SaysHowManyElementsItNeeds) {
  EXPECT_EQ(storage_elements({5, {2, 3}, {10, 2}}), 5u + 10 + 4 + 1);
  EXPECT_EQ(storage_elements({5, {}, {}}), 6u);
  EXPECT_EQ(storage_elements({5, {0}, {1}}), 0u);
  EXPECT_EQ(storage_elements({0, {1}, {INT64_MAX}}), 1u);
  EXPECT_FALSE(storage_elements({0, {3}, {INT64_MAX / 2 + 1}}));
  EXPECT_FALSE(storage_elements({INT64_MAX, {1}, {1}}));
}

TEST(StridedViewTest, KnowsOverlaps) {
  EXPECT_FALSE(may_overlap({0, {3, 2}, {1, 3}}));
  EXPECT_FALSE(may_overlap({0, {3, 2}, {0, 1}}));
  EXPECT_TRUE(may_overlap({0, {3, 2}, {1, 1}}));
  EXPECT_TRUE(may_overlap({0, {3, 4}, {3, 1}}));
}

}  // namespace
}  // namespace pqw
