// y = x Wᵀ from the codes, for callers that multiply once.
#include "pqw/codecs/pq.h"
#include "pqw/codecs/pq_lookup.h"

namespace pqw {

void multiply(const PqWeight& weight, ConstMatrix x, MutableMatrix y) {
  multiply_rows(weight, 0, x, y);
}

void multiply_rows(const PqWeight& weight, std::size_t first, ConstMatrix x, MutableMatrix y) {
  PqLookup(weight, {.precision = Precision::kExact}).multiply_rows(first, x, y);
}

}  // namespace pqw
