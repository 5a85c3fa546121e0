// Every instruction set against integers of 64 bits.
#include <gtest/gtest.h>

#include "codecs/active_kernels.h"
#include "pqw/codecs/kernels.h"
#include "tests/support/bits_digest.h"
#include "tests/support/random_int8_weight.h"

namespace pqw {
namespace {

using kernels::kPanelColumns;
using kernels::kPanelRows;

class Int8Kernel : public testing::TestWithParam<std::string> {
 protected:
  // Weights and inputs of the largest magnitude, or random; results on top of what was there.
  void expect_exact(std::size_t n_x, std::size_t n_panels, std::size_t n_columns, bool extreme) {
    const std::size_t n_rows = n_panels * kPanelRows;
    const std::size_t x_stride = n_columns + 3;
    const std::size_t panel_stride = n_columns * kPanelRows + 5;
    std::vector<std::uint8_t> x(n_x * x_stride, 255);
    std::vector<std::int8_t> panels(n_panels * panel_stride, -128);
    if (!extreme) {
      const auto random = test::random_int8(x.size(), static_cast<unsigned>(n_x + n_columns));
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(random[i]);
      panels = test::random_int8(panels.size(), 3);
    }
    const auto w = [&](std::size_t r, std::size_t c) {
      return panels[r / kPanelRows * panel_stride +
                    (c / kPanelColumns * kPanelRows + r % kPanelRows) * kPanelColumns +
                    c % kPanelColumns];
    };
    std::vector<std::int32_t> sums(n_x * n_rows + 1, -7);
    kernels::find(GetParam())
        ->int8.multiply({x.data(), n_x, x_stride, panels.data(), n_panels, panel_stride, n_columns},
                        sums.data());
    for (std::size_t i = 0; i < n_x; ++i) {
      for (std::size_t r = 0; r < n_rows; ++r) {
        std::int64_t expected = -7;
        for (std::size_t c = 0; c < n_columns; ++c) expected += x[i * x_stride + c] * w(r, c);
        ASSERT_EQ(sums[i * n_rows + r], expected)
            << n_x << " x " << n_panels << " x " << n_columns << " at " << i << ", " << r;
      }
    }
    EXPECT_EQ(sums.back(), -7);
  }
};

TEST_P(Int8Kernel, AllCountsAndTails) {
  for (const std::size_t n_x : {0u, 1u, 2u, 3u, 5u, 6u, 7u, 10u, 13u}) {
    for (const std::size_t n_panels : {0u, 1u, 2u, 3u, 4u, 5u, 9u}) {
      for (const std::size_t n_columns : {0u, 4u, 8u, 12u, 36u, 100u}) {
        expect_exact(n_x, n_panels, n_columns, false);
      }
    }
  }
}

// 2 * 255 * -128 is beyond 16 bits: instructions that saturate there would show.
TEST_P(Int8Kernel, NothingSaturates) { expect_exact(3, 5, 64, true); }

TEST_P(Int8Kernel, TheMostColumnsAreHeldWithoutOverflow) {
  expect_exact(1, 1, kernels::kInt8Columns, true);
}

// The digest was recorded on x86-64.
TEST_P(Int8Kernel, SumsAreThoseOfOtherProcessors) {
  constexpr std::size_t kX = 7, kPanels = 5, kColumns = 260;
  const auto x = test::random_int8(kX * kColumns, 1);
  const auto panels = test::random_int8(kPanels * kPanelRows * kColumns, 2);
  std::vector<std::int32_t> sums(kX * kPanels * kPanelRows);
  kernels::find(GetParam())
      ->int8.multiply({reinterpret_cast<const std::uint8_t*>(x.data()), kX, kColumns, panels.data(),
                       kPanels, kPanelRows * kColumns, kColumns},
                      sums.data());
  EXPECT_EQ(test::bits_digest<std::int32_t>(sums), 4762279916734261155u);
}

INSTANTIATE_TEST_SUITE_P(Isa, Int8Kernel, testing::ValuesIn(available_kernels()),
                         [](const auto& test_case) { return test_case.param; });

TEST(KernelChoice, TheForcedOneMultipliesBytes) {
  const char* wanted = std::getenv("PQW_KERNEL");
  const std::string expected = wanted == nullptr ? available_kernels().front() : wanted;
  EXPECT_EQ(active_kernels().int8.multiply, kernels::find(expected)->int8.multiply);
}

}  // namespace
}  // namespace pqw
