// The cycles of the kernels' inner loops as a process measures them, beside those that are built in.
#include <fmt/format.h>

#include "codecs/product/kernel_costs.h"
#include "timing/text_table.h"

int main() {
  using namespace pqw;
  for (const kernels::Table& table : kernels::available()) {
    CostedKernels measured(table), builtin(table);
    measured.measure();
    std::vector<std::vector<std::string>> rows;
    const auto add = [&](std::string_view name, float cycles, auto...) {
      rows.push_back({std::string(name), fmt::format("{:.2f}", cycles)});
    };
    measured.for_each(add);
    std::size_t i = 0;
    builtin.for_each([&](std::string_view, float cycles, auto...) {
      rows[i++].push_back(fmt::format("{:.2f}", cycles));
    });
    fmt::print("{}\n", timing::text_table(
                           {{std::string(table.name), true}, {"measured"}, {"built in"}}, rows));
  }
  return 0;
}
