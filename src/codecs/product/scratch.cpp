// Aligned memory, on huge pages where there are any.
#include "codecs/product/scratch.h"

#include <sys/mman.h>

#include <new>

namespace pqw {

AlignedBytes allocate_aligned(std::size_t n_bytes) {
  constexpr std::size_t kCacheLine = 64;
  constexpr std::size_t kHugePage = std::size_t{1} << 21;
  const std::size_t alignment = n_bytes >= kHugePage / 2 ? kHugePage : kCacheLine;
  const std::size_t n_rounded =
      n_bytes == 0 ? alignment : (n_bytes + alignment - 1) / alignment * alignment;
  AlignedBytes memory(static_cast<std::byte*>(std::aligned_alloc(alignment, n_rounded)));
  if (memory == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (alignment == kHugePage) ::madvise(memory.get(), n_rounded, MADV_HUGEPAGE);
#endif
  return memory;
}

}  // namespace pqw
