// HDF5 groups: creating, linking, listing links, opening the objects of hard links.
#include "h5/group.h"

#include <hdf5.h>

#include <algorithm>
#include <exception>

#include "h5/types.h"

namespace pqw::h5 {
namespace {

Handle creation_list(const Subject& subject) {
  Handle list = own(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, subject, "create a property list");
  check(H5Pset_obj_track_times(list.id(), false), subject, "turn times off");
  return list;
}

struct Listing {
  std::vector<Link> links;
  std::size_t max_links;
  bool too_many = false;
  std::exception_ptr failure;  // nothing may be thrown through HDF5
};

LinkKind kind_of(H5L_type_t type) {
  switch (type) {
    case H5L_TYPE_HARD:
      return LinkKind::kHard;
    case H5L_TYPE_SOFT:
      return LinkKind::kSoft;
    case H5L_TYPE_EXTERNAL:
      return LinkKind::kExternal;
    default:
      return LinkKind::kOther;
  }
}

// The path that a soft link holds; it is not followed.
std::string soft_target(Id group, const char* name, std::size_t size) {
  std::vector<char> path(size + 1);
  if (H5Lget_val(group, name, path.data(), size, H5P_DEFAULT) < 0) return "";
  return path.data();
}

Link link_of(Id group, const char* name, const H5L_info_t& info) {
  Link link{name, kind_of(info.type)};
  if (link.kind == LinkKind::kHard) link.address = info.u.address;
  if (link.kind == LinkKind::kSoft) link.target = soft_target(group, name, info.u.val_size);
  return link;
}

herr_t append_link(hid_t group, const char* name, const H5L_info_t* info, void* data) {
  auto& listing = *static_cast<Listing*>(data);
  listing.too_many = listing.links.size() >= listing.max_links;
  if (listing.too_many) return 1;
  try {
    listing.links.push_back(link_of(group, name, *info));
    return 0;
  } catch (...) {
    listing.failure = std::current_exception();
    return 1;
  }
}

Object look_at(Handle handle, const Subject& subject) {
  H5O_info_t info;
  check(H5Oget_info2(handle.id(), &info, H5O_INFO_BASIC), subject, "look at an object");
  const ObjectKind kind = info.type == H5O_TYPE_GROUP     ? ObjectKind::kGroup
                          : info.type == H5O_TYPE_DATASET ? ObjectKind::kDataset
                                                          : ObjectKind::kOther;
  return {std::move(handle), kind, info.rc, info.addr};
}

}  // namespace

Handle create_group(Id parent, const std::string& link, const Subject& subject) {
  const Handle links = link_list(subject);
  const Handle list = creation_list(subject);
  return own(H5Gcreate2(parent, link.c_str(), links.id(), list.id(), H5P_DEFAULT), H5Gclose,
             subject, "create a group");
}

std::vector<Link> list_links(Id group, LinkOrder order, std::size_t max_links,
                             const Subject& subject) {
  Listing listing{{}, max_links, false, nullptr};
  const H5_index_t index = order == LinkOrder::kByName ? H5_INDEX_NAME : H5_INDEX_CRT_ORDER;
  const herr_t status = H5Literate(group, index, H5_ITER_INC, nullptr, append_link, &listing);
  if (listing.failure) std::rethrow_exception(listing.failure);
  check(status, subject, "list the links of a group");
  if (listing.too_many) throw subject.error("more than {} links in a group", max_links);
  return std::move(listing.links);
}

std::optional<Link> find_link(Id group, const std::string& name, const Subject& subject) {
  const htri_t is_there = H5Lexists(group, name.c_str(), H5P_DEFAULT);
  check(is_there, subject, "look for a link");
  if (is_there == 0) return std::nullopt;
  H5L_info_t info;
  check(H5Lget_info(group, name.c_str(), &info, H5P_DEFAULT), subject, "look at a link");
  return link_of(group, name.c_str(), info);
}

void create_hard_link(Id file, const std::string& existing, const std::string& name,
                      const Subject& subject) {
  const Handle links = link_list(subject);
  check(H5Lcreate_hard(file, existing.c_str(), file, name.c_str(), links.id(), H5P_DEFAULT),
        subject, "create a link");
}

Object open_object(Id file, std::uint64_t address, const Subject& subject) {
  return look_at(own(H5Oopen_by_addr(file, address), H5Oclose, subject, "open an object"), subject);
}

Object open_root(Id file, const Subject& subject) {
  return look_at(own(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose, subject, "open the root group"),
                 subject);
}

}  // namespace pqw::h5
