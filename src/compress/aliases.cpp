// Finds the tensors of a file that equal another one and are stored as its alias.
#include "compress/aliases.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "archive/digest.h"

namespace pqw {
namespace {

// Bytes that an alias takes in an archive beyond an empty plain dataset and the name of its target.
// kLongestTarget: with a name of at most that length, an alias takes less than the second section
// and the options of a compressed tensor.
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

// If two tensors have equal traits and equal bytes, they are stored in the same way.
auto traits_of(const PlanEntry& entry) {
  return std::tuple(std::string(dtype_name(entry.info)), entry.info.shape, byte_count(entry.info),
                    entry.compress ? entry.settings : "plain");
}

// Calls `of` once for all tensors that share their values in the file.
template <class Of>
auto once_for_all_names(const WeightReader& reader, Of of) {
  std::map<std::size_t, std::invoke_result_t<Of, std::size_t>> known;
  return [&reader, of, known](std::size_t i) mutable {
    const std::size_t stored = reader.stored_as(i);
    const auto found = known.find(stored);
    return found != known.end() ? found->second : known.emplace(stored, of(i)).first->second;
  };
}

// The groups of two or more tensors with the same key.
template <class Key, class KeyOf>
std::vector<std::vector<std::size_t>> split(const std::vector<std::size_t>& tensors, KeyOf key_of) {
  std::map<Key, std::vector<std::size_t>> groups;
  for (const std::size_t i : tensors) groups[key_of(i)].push_back(i);
  std::vector<std::vector<std::size_t>> result;
  for (auto& [key, group] : groups) {
    if (group.size() > 1) result.push_back(std::move(group));
  }
  return result;
}

}  // namespace

std::vector<std::optional<std::size_t>> find_aliases(const WeightReader& reader,
                                                     std::span<const PlanEntry> plan) {
  const auto traits = [&](std::size_t i) { return traits_of(plan[i]); };
  const auto hash = once_for_all_names(reader, [&](std::size_t i) {
    const std::vector<std::byte> bytes = reader.read(i);
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    return std::hash<std::string_view>()({text, bytes.size()});
  });
  const auto digest =
      once_for_all_names(reader, [&](std::size_t i) { return archive::sha256(reader.read(i)); });
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (may_be_alias(plan[i])) candidates.push_back(i);
  }
  std::vector<std::optional<std::size_t>> aliases(plan.size());
  // The hash is ten times as fast as the digest, but somebody may construct other bytes with the
  // same hash.
  for (const auto& alike : split<decltype(traits(0))>(candidates, traits)) {
    for (const auto& similar : split<std::size_t>(alike, hash)) {
      for (const auto& equal : split<archive::Digest>(similar, digest)) {
        const auto target =
            std::ranges::find_if(equal, [&](std::size_t i) { return may_be_target(plan[i]); });
        if (target == equal.end()) continue;
        for (auto i = target + 1; i != equal.end(); ++i) aliases[*i] = *target;
      }
    }
  }
  return aliases;
}

}  // namespace pqw
