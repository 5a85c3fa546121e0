// Follows soft links of an HDF5 file.
#include <algorithm>
#include <string_view>
#include <utility>

#include "formats/hdf5_walk.h"
#include "h5/group.h"

namespace pqw {
namespace {

constexpr std::size_t kMaxSoftLinks = 16;

// Gives the names of a path, one after another.
struct Path {
  // The next name; empty at the end.
  std::string_view next() {
    for (;;) {
      const std::size_t begin = std::min(text.find_first_not_of('/', at), text.size());
      at = std::min(text.find('/', begin), text.size());
      const auto name = std::string_view(text).substr(begin, at - begin);
      if (name != ".") return name;
    }
  }

  // Puts a path in front of the remaining names.
  void prepend(std::string path) {
    path += '/';
    path.append(text, at);
    text = std::move(path);
    at = 0;
  }

  std::string text;
  std::size_t at = 0;
};

}  // namespace

SoftLinkEnd follow_soft_link(h5::Id file, std::uint64_t group, const std::string& path,
                             std::size_t& n_steps, const Subject& subject) {
  const std::uint64_t root = h5::open_root(file, subject).address;
  std::uint64_t at = path.starts_with('/') ? root : group;
  Path names{path};
  std::size_t n_soft = 1;
  for (std::string_view name = names.next(); !name.empty(); name = names.next()) {
    ++n_steps;
    const h5::Object object = h5::open_object(file, at, subject);
    const auto link = object.kind == h5::ObjectKind::kGroup
                          ? h5::find_link(object.handle.id(), std::string(name), subject)
                          : std::nullopt;
    if (!link) return {std::nullopt, "does not exist"};
    switch (link->kind) {
      case h5::LinkKind::kHard:
        at = link->address;
        break;
      case h5::LinkKind::kSoft:
        if (++n_soft > kMaxSoftLinks)
          return {std::nullopt, "leads through more than 16 other links"};
        if (link->target.starts_with('/')) at = root;
        names.prepend(link->target);
        break;
      default:
        return {std::nullopt, "leads through a link that is not followed", true};
    }
  }
  return {at};
}

}  // namespace pqw
