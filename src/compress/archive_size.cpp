// Sizes of archives in a search.
#include "compress/archive_size.h"

#include <algorithm>
#include <map>

namespace pqw {

std::uint64_t target_bytes(const SearchInput& input, std::span<const WorkItem> plan) {
  const Target& target = input.target;
  double n_weights = 0, n_bytes = 0;
  for (const WorkItem& item : plan) {
    const bool adopts = std::holds_alternative<AdoptInt8>(item.action);
    for (const std::size_t t : std::span(item.tensors).first(adopts ? 1 : item.tensors.size())) {
      n_weights += static_cast<double>(element_count(input.reader.tensors()[t].shape));
      n_bytes += static_cast<double>(byte_count(input.reader.tensors()[t]));
    }
  }
  const double bytes = target.kind == TargetKind::kSize            ? target.value
                       : target.kind == TargetKind::kBitsPerWeight ? target.value * n_weights / 8
                                                                   : n_bytes / target.value;
  return static_cast<std::uint64_t>(std::min(bytes, 0x1p62));
}

std::uint64_t archive_size(const SearchInput& input, std::span<const WorkItem> plan,
                           std::span<const SearchItem> items,
                           std::span<const std::vector<StoredTensor>* const> stored) {
  const auto info_of = [&](std::size_t i) -> const TensorInfo& {
    return input.reader.tensors()[plan[i].tensors.front()];
  };
  std::map<std::size_t, StoredTensor> aliases;
  std::map<std::size_t, const StoredTensor*> in_order;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::vector<std::size_t>& tensors = plan[i].tensors;
    if (items[i].same_as) {
      TensorReport target;
      target.info = info_of(*items[i].same_as);
      in_order[tensors[0]] = &(aliases[tensors[0]] = alias_of(target, info_of(i)));
      continue;
    }
    for (std::size_t t = 0; t < stored[i]->size(); ++t) in_order[tensors[t]] = &(*stored[i])[t];
  }
  ArchiveSizer sizer(input.archive);
  for (const auto& [index, tensor] : in_order) add(*tensor, sizer);
  return sizer.finish();
}

}  // namespace pqw
