// The kernels of each instruction set that this processor has.
#include "kernels/table.h"

#ifdef PQW_ARM_KERNELS
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include <array>

namespace pqw::kernels {
namespace {

struct Tables {
  std::array<Table, 4> tables;
  std::size_t count = 0;

  Tables() {
#ifdef PQW_X86_KERNELS
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f");
    const bool words = avx512 && __builtin_cpu_supports("avx512bw");
    const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
    const ProductKernels* product =
        avx512 && __builtin_cpu_supports("avx512bf16") ? &product_avx512bf16 : &product_avx512;
    if (words && vnni && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi")) {
      tables[count++] = {
          .name = "avx512vbmi",
          .nearest = nearest_avx512,
          .lookup = &lookup_avx512vbmi,
          .product = product,
          .int8 = {int8_product_vnni, int8_decode_avx512vbmi, &int8_rows_avx512, {0.52f, 3.5f}},
          .contraction = &contraction_avx512};
    }
    if (avx512) {
      tables[count++] = {.name = "avx512",
                         .nearest = nearest_avx512,
                         .lookup = words ? &lookup_avx512 : &lookup_avx2,
                         .product = product,
                         .int8 = {vnni ? int8_product_vnni : int8_product_avx2,
                                  int8_decode_portable,
                                  words ? &int8_rows_avx512 : &int8_rows_avx2,
                                  {vnni ? 0.52f : 3.5f, 14}},
                         .contraction = &contraction_avx512};
    }
    if (avx2) {
      tables[count++] = {
          .name = "avx2",
          .nearest = nearest_avx2,
          .lookup = &lookup_avx2,
          .product = &product_avx2,
          .int8 = {int8_product_avx2, int8_decode_portable, &int8_rows_avx2, {3.5f, 14}},
          .contraction = &contraction_avx2};
    }
#endif
#ifdef PQW_ARM_KERNELS
    const Table neon = {
        .name = "neon",
        .nearest = nearest_neon,
        .lookup = &lookup_neon,
        .product = &product_neon,
        .int8 = {int8_product_neon, int8_decode_portable, &int8_rows_portable, {9, 20}},
        .contraction = &contraction_neon};
    if ((::getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) {
      tables[count] = neon;
      tables[count].name = "neondot";
      tables[count].int8.multiply = int8_product_neondot;
      tables[count++].int8.cycles.multiply_per_line = 5;
    }
    tables[count++] = neon;
#endif
    tables[count++] = {
        .name = "portable",
        .nearest = nearest_portable,
        .lookup = &lookup_portable,
        .product = &product_portable,
        .int8 = {int8_product_portable, int8_decode_portable, &int8_rows_portable, {33, 14}},
        .contraction = &contraction_portable};
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
