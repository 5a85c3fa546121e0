// The kernels of each instruction set, chosen by what the processor says.
#include "kernels/table.h"

#include <array>

namespace pqw::kernels {
namespace {

struct Tables {
  std::array<Table, 3> tables;
  std::size_t count = 0;

  Tables() {
#ifdef PQW_X86_KERNELS
    if (__builtin_cpu_supports("avx512f")) tables[count++] = {"avx512", nearest_avx512};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      tables[count++] = {"avx2", nearest_avx2};
    }
#endif
    tables[count++] = {"portable", nearest_portable};
  }
};

}  // namespace

std::span<const Table> available() {
  static const Tables instance;
  return {instance.tables.data(), instance.count};
}

const Table* find(std::string_view name) {
  for (const Table& table : available()) {
    if (table.name == name) return &table;
  }
  return nullptr;
}

}  // namespace pqw::kernels
