// Which tensors of a file equal another one and are stored as its alias.
#include "pipeline/aliases.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "archive/digest.h"

namespace pqw {
namespace {

// What an alias takes in an archive beyond a plain dataset, not counting the bytes of that and the
// name of the target; and the longest name that takes less than the second section and the options
// of a compressed tensor.
constexpr std::size_t kAliasOverheadBytes = 224;
constexpr std::size_t kLongestTarget = 256;

bool may_be_alias(const PlanEntry& entry) {
  return entry.layers.empty() && !entry.reference && byte_count(entry.info) > kAliasOverheadBytes;
}

bool may_be_target(const PlanEntry& entry) {
  const std::size_t name_bytes = entry.info.name.size();
  return may_be_alias(entry) && name_bytes <= kLongestTarget &&
         byte_count(entry.info) >= kAliasOverheadBytes + name_bytes;
}

// Equal for tensors that are stored alike if their bytes are equal.
auto traits_of(const PlanEntry& entry) {
  return std::tuple(std::string(dtype_name(entry.info)), entry.info.shape, byte_count(entry.info),
                    entry.compress ? entry.settings : "plain");
}

bool equal(const WeightReader& reader, std::size_t a, std::size_t b) {
  const TensorBytes bytes = reader.read(a);
  return std::ranges::equal(bytes.view(), reader.read(b).view());
}

}  // namespace

std::vector<std::optional<std::size_t>> find_aliases(const WeightReader& reader,
                                                     std::span<const PlanEntry> plan) {
  std::map<decltype(traits_of(plan.front())), std::vector<std::size_t>> alike;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (may_be_alias(plan[i])) alike[traits_of(plan[i])].push_back(i);
  }
  std::vector<std::optional<std::size_t>> aliases(plan.size());
  for (const auto& [traits, tensors] : alike) {
    if (tensors.size() == 1) continue;
    std::map<archive::Digest, std::size_t> first;
    for (const std::size_t i : tensors) {
      const archive::Digest digest = archive::sha256(reader.read(i).view());
      const auto found = first.find(digest);
      if (found == first.end()) {
        if (may_be_target(plan[i])) first.emplace(digest, i);
      } else if (equal(reader, found->second, i)) {
        aliases[i] = found->second;
      }
    }
  }
  return aliases;
}

}  // namespace pqw
