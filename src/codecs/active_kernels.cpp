// The table of inner loops in use: chosen by the processor, or by the environment.
#include "codecs/active_kernels.h"

#include <cstdlib>

#include "core/subject.h"
#include "pqw/codecs/kernels.h"

namespace pqw {
namespace {

const kernels::Table& choose() {
  const char* wanted = std::getenv("PQW_KERNEL");
  if (wanted == nullptr || *wanted == '\0') return kernels::available().front();
  if (const kernels::Table* table = kernels::find(wanted)) return *table;
  throw invalid_argument("PQW_KERNEL={}: this processor can run {}", wanted,
                         fmt::join(available_kernels(), ", "));
}

}  // namespace

const kernels::Table& active_kernels() {
  static const kernels::Table& instance = choose();
  return instance;
}

std::string kernel_name() { return std::string(active_kernels().name); }

std::vector<std::string> available_kernels() {
  std::vector<std::string> names;
  for (const kernels::Table& table : kernels::available()) names.emplace_back(table.name);
  return names;
}

}  // namespace pqw
