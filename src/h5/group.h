// HDF5 groups: creating, linking, listing links, opening the objects of hard links.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "h5/handle.h"

namespace pqw::h5 {

// `link` is a path relative to `parent`, the groups of which exist.
Handle create_group(Id parent, const std::string& link, const Subject& subject);

enum class LinkKind { kHard, kSoft, kExternal, kOther };

struct Link {
  std::string name;
  LinkKind kind = LinkKind::kOther;
  std::uint64_t address = 0;  // of the object, for hard links
  std::string target = {};    // the path that a soft link holds
};

// Gives an object another name. Both are paths from the root group; the groups of `name` exist.
void create_hard_link(Id file, const std::string& existing, const std::string& name,
                      const Subject& subject);

enum class LinkOrder { kByName, kByCreation };

// All links of a group; nothing is followed. Errors: those of HDF5, as subject says, also when
// the group does not remember the order of creation; more than max_links is one too.
std::vector<Link> list_links(Id group, LinkOrder order, std::size_t max_links,
                             const Subject& subject);

// The link with that name; empty if there is none. REQUIRES: a name without '/', not empty and not
// ".".
std::optional<Link> find_link(Id group, const std::string& name, const Subject& subject);

enum class ObjectKind { kGroup, kDataset, kOther };

struct Object {
  Handle handle;
  ObjectKind kind = ObjectKind::kOther;
  std::uint64_t n_names = 0;  // hard links to it
  std::uint64_t address = 0;
};

// Opens the object at the address of a hard link, without looking its name up again.
Object open_object(Id file, std::uint64_t address, const Subject& subject);

// The root group.
Object open_root(Id file, const Subject& subject);

}  // namespace pqw::h5
