// The cycles of kernels: measured, written and read.
#include "codecs/product/kernel_costs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "codecs/active_kernels.h"
#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/error.h"
#include "tests/support/random_int8_weight.h"

namespace pqw {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& text) {
  CostedKernels kernels(active_kernels());
  try {
    read_costs(text, "costs.txt", kernels);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "";
}

TEST(KernelCosts, AreThoseOfTheTableAtFirst) {
  const CostedKernels kernels(active_kernels());
  EXPECT_EQ(kernels.table().name, active_kernels().name);
  EXPECT_EQ(kernels.table().lookup->wide_high.cycles.build_per_entry,
            active_kernels().lookup->wide_high.cycles.build_per_entry);
  EXPECT_EQ(kernels.table().product->cycles.decoded_per_vector,
            active_kernels().product->cycles.decoded_per_vector);
}

TEST(KernelCosts, EveryMeasuredCostIsPositive) {
  for (const kernels::Table& table : kernels::available()) {
    CostedKernels kernels(table);
    kernels.for_each([](std::string_view, float& cycles, auto...) { cycles = 0; });
    kernels.measure();
    kernels.for_each([&](std::string_view name, float& cycles, auto...) {
      EXPECT_GT(cycles, 0) << table.name << " " << name;
    });
  }
}

TEST(KernelCosts, AreReadAsTheyWereWritten) {
  CostedKernels written(active_kernels()), read(active_kernels());
  float next = 0;
  written.for_each([&](std::string_view, float& cycles, auto...) { cycles = next += 0.5f; });
  read_costs("# a comment\n\n" + to_text(written), "costs.txt", read);
  next = 0;
  read.for_each([&](std::string_view name, float& cycles, auto...) {
    EXPECT_EQ(cycles, next += 0.5f) << name;
  });
  EXPECT_EQ(read.table().lookup->wide_high.cycles.build_per_entry, 0.5f);
}

TEST(KernelCosts, WrongLinesAreNamed) {
  CostedKernels kernels(active_kernels());
  const std::string text = to_text(kernels);
  const std::string first = "wide_high.build_per_entry";
  const std::size_t at = text.find(first), end = text.find('\n', at);
  const auto with = [&](const std::string& line) {
    return text.substr(0, at) + line + text.substr(end);
  };
  EXPECT_EQ(error_of(text), "");
  EXPECT_EQ(error_of(text.substr(0, at) + text.substr(end + 1)),
            "costs.txt: no line for the cost " + first);
  for (const char* value : {"-1", "0", "nan", "inf", "1x", "", "1 2"}) {
    EXPECT_THAT(error_of(with(first + " " + value)), HasSubstr("costs.txt: line 2 is '" + first))
        << value;
  }
  EXPECT_THAT(error_of(text + first + " 1\n"), HasSubstr("each cost once"));
  EXPECT_EQ(error_of(text + "magic 1\n"), "costs.txt: unknown cost 'magic'");
  const std::string name(active_kernels().name);
  EXPECT_EQ(error_of(""), "costs.txt: no line 'kernels " + name + "'");
  EXPECT_EQ(error_of(text.substr(text.find('\n') + 1)),
            "costs.txt: no line 'kernels " + name + "'");
  EXPECT_EQ(error_of("kernels vax\n"),
            "costs.txt: costs of the kernels vax, but this process uses " + name);
}

// In a process of its own: costs are read once.
TEST(KernelCostsDeathTest, AreReadWhenAnInt8ProductThatNeedsThemIsMade) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto make = [] {
    ::setenv("PQW_COSTS", "/nowhere/costs.txt", 1);
    try {
      make_product(test::random_int8_weight({2, 3}, true), {.memory = ServeMemory::kFastest});
    } catch (const Error& error) {
      std::_Exit(error.code() == ErrorCode::kIo ? 7 : 8);
    }
    std::_Exit(0);
  };
  EXPECT_EXIT(make(), testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace pqw
