// Finding the tensors of a generic HDF5 file.
#include "formats/hdf5_walk.h"

#include <fmt/format.h>

#include <map>

#include "formats/expansion.h"
#include "formats/hdf5_filters.h"
#include "formats/where.h"
#include "h5/dataset.h"
#include "h5/group.h"

namespace pqw {
namespace {

constexpr std::size_t kMaxDepth = 64;

class Walk {
 public:
  Walk(h5::Id file, std::uint64_t file_bytes, const std::string& path, std::size_t max_links)
      : file_(file),
        max_links_(max_links),
        file_bytes_(file_bytes),
        expansion_(file_bytes),
        context_{path, "", ErrorCode::kFormat} {}

  Hdf5Content run() {
    const h5::Object root = h5::open_root(file_, context_);
    names_.emplace(root.address, "/");
    list_group(root.handle.id(), "", 0);
    return std::move(content_);
  }

 private:
  void skip(const std::string& name, const std::string& reason) {
    content_.skipped.push_back(fmt::format("'{}' {}", for_message(name), reason));
  }

  void list_group(h5::Id group, const std::string& prefix, std::size_t depth) {
    const h5::Context context =
        prefix.empty() ? context_ : context_.about(h5::quoted("group", prefix));
    if (depth > kMaxDepth) {
      throw context.error(ErrorCode::kUnsupported, fmt::format("deeper than {} groups", kMaxDepth));
    }
    const std::vector<h5::Link> links =
        h5::list_links(group, h5::LinkOrder::kByName, max_links_ - n_links_, context);
    n_links_ += links.size();
    for (const h5::Link& link : links) follow(link, prefix + link.name, depth);
  }

  void follow(const h5::Link& link, const std::string& name, std::size_t depth) {
    if (link.kind != h5::LinkKind::kHard) {
      skip(name, "is a soft or external link, which is not followed");
      return;
    }
    const h5::Context context = context_.about(h5::quoted("object", name));
    const auto [first, is_new] = names_.emplace(link.address, name);
    if (!is_new) {
      skip(name, fmt::format("is another name of '{}'", for_message(first->second)));
      return;
    }
    const h5::Object object = h5::open_object(file_, link.address, context);
    if (object.kind == h5::ObjectKind::kGroup) {
      list_group(object.handle.id(), name + "/", depth + 1);
    } else if (object.kind == h5::ObjectKind::kDataset) {
      add_dataset(object.handle.id(), link.address, name);
    } else {
      skip(name, "is no dataset");
    }
  }

  void add_dataset(h5::Id dataset, std::uint64_t address, const std::string& name) {
    const h5::Context context = context_.about(h5::quoted("tensor", name));
    const h5::DatasetInfo info = h5::describe(dataset, context);
    if (!info.type) {
      skip(name, info.is_text ? "holds text" : "holds no numbers");
    } else if (!info.has_space) {
      skip(name, "holds nothing");
    } else {
      check(info, context);
      content_.tensors.push_back(
          {{name, info.type->dtype, info.shape}, address, info.type->big_endian});
    }
  }

  void check(const h5::DatasetInfo& info, const h5::Context& context) {
    const auto bytes = checked_byte_count(info.shape, info.type->dtype);
    if (!bytes) {
      throw context.error(fmt::format("shape {} overflows 63 bits", to_string(info.shape)));
    }
    if (info.is_external || info.layout == h5::Layout::kOther) {
      throw context.error(ErrorCode::kUnsupported, "its data is in other files");
    }
    const std::string filters = obstacle_in_filters(info.filters);
    if (!filters.empty()) throw context.error(ErrorCode::kUnsupported, filters);
    if (info.stored_bytes > file_bytes_ || info.offset.value_or(0) > file_bytes_) {
      throw context.error("its data is beyond the end of the file");
    }
    if (!expansion_.allows(info.chunk_bytes) || !expansion_.take(*bytes)) {
      throw context.error(fmt::format(
          "{} bytes stored unpack to {} in chunks of {}; all tensors of a file of {} bytes may "
          "unpack to {} times that",
          info.stored_bytes, *bytes, info.chunk_bytes, file_bytes_, kMaxExpansion));
    }
  }

  h5::Id file_;
  std::size_t max_links_;
  std::uint64_t file_bytes_;
  Expansion expansion_;
  h5::Context context_;
  std::size_t n_links_ = 0;
  std::map<std::uint64_t, std::string> names_;  // of the objects that were reached, by address
  Hdf5Content content_;
};

}  // namespace

Hdf5Content walk_hdf5(h5::Id file, std::uint64_t file_bytes, const std::string& path,
                      std::size_t max_links) {
  return Walk(file, file_bytes, path, max_links).run();
}

}  // namespace pqw
