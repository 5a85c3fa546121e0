// Finds the tensors of a file that equal an earlier one and are stored as its alias.
#include "compress/aliases.h"

namespace pqw {
namespace {

// Bytes that an alias takes in an archive beyond an empty plain tensor and the name of its target,
// about. kLongestTarget: names are stored as they are, and a compressed tensor of few distinct
// blocks takes hardly more than one.
constexpr std::size_t kAliasOverheadBytes = 64;
constexpr std::size_t kLongestTarget = 128;

bool may_be_alias(const WorkItem& item, const TensorInfo& info) {
  return (item.tensors.size() == 1 || item.has_bias) && byte_count(info) > kAliasOverheadBytes;
}

bool may_be_target(const TensorInfo& info) {
  const std::size_t name_bytes = info.name.size();
  return name_bytes <= kLongestTarget && byte_count(info) >= kAliasOverheadBytes + name_bytes;
}

}  // namespace

Aliases::Traits Aliases::traits_of(const WorkItem& item, const TensorInfo& info) {
  return {std::string(dtype_name(info)),
          info.shape,
          info.layout.axes,
          byte_count(info),
          std::holds_alternative<Encode>(item.action) ? item.settings : "plain",
          item.plain_dtype};
}

Aliases::Aliases(const WeightReader& reader, std::span<const WorkItem> plan) : reader_(reader) {
  for (const WorkItem& item : plan) {
    const TensorInfo& info = reader.tensors()[item.tensors.front()];
    if (may_be_alias(item, info)) ++n_alike_[traits_of(item, info)];
  }
}

std::optional<std::size_t> Aliases::find(const WorkItem& item, Source& source) {
  const TensorInfo& info = source.info();
  if (!may_be_alias(item, info)) return std::nullopt;
  Traits traits = traits_of(item, info);
  if (n_alike_[traits] < 2) return std::nullopt;
  const std::size_t index = item.tensors.front();
  const auto [digest, is_new] = digests_.try_emplace(reader_.stored_as(index));
  if (is_new) digest->second = source.digest();
  const std::pair key(std::move(traits), digest->second);
  const auto target = targets_.find(key);
  if (target != targets_.end()) return target->second;
  if (may_be_target(info)) targets_.emplace(key, index);
  return std::nullopt;
}

}  // namespace pqw
