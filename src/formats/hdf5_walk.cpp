// Finding the tensors of a generic HDF5 file.
#include "formats/hdf5_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/subject.h"
#include "formats/expansion.h"
#include "formats/hdf5_attributes.h"
#include "h5/content.h"
#include "h5/dataset.h"
#include "h5/group.h"

namespace pqw {
namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxNameBytes = std::size_t{1} << 26;
constexpr std::size_t kMaxSecondNames = std::size_t{1} << 14;     // of all groups together
constexpr std::size_t kMaxAttributeBytes = std::size_t{1} << 25;  // of all groups together
constexpr std::size_t kMaxSteps = std::size_t{1} << 16;           // along soft links

class Walk {
 public:
  Walk(h5::Id file, std::uint64_t file_bytes, const std::string& path, std::size_t max_links)
      : file_(file),
        max_links_(max_links),
        file_bytes_(file_bytes),
        expansion_(file_bytes),
        subject_{path, ErrorCode::kFormat} {}

  Hdf5Content run() {
    const h5::Object root = h5::open_root(file_, subject_);
    list_group(root, "");
    return std::move(content_);
  }

 private:
  // A group on the path from the root to the current group.
  struct Level {
    std::uint64_t address;
    std::string name;
  };

  // A dataset that was examined once, whatever its names.
  struct Dataset {
    std::optional<Hdf5Tensor> tensor;
    Skipped skipped;
    std::optional<std::size_t> first_name = {};  // its index in the list of tensors
  };

  void skip(const std::string& name, std::string what) {
    content_.skipped.push_back({name, std::move(what)});
  }

  void lose(const std::string& name, std::string what) {
    content_.skipped.push_back({name, std::move(what), true});
  }

  void list_group(const h5::Object& group, const std::string& prefix) {
    const Subject subject = prefix.empty() ? subject_ : subject_.in("group", prefix);
    if (levels_.size() > kMaxDepth) {
      throw subject.error(ErrorCode::kUnsupported, "deeper than {} groups", kMaxDepth);
    }
    const std::vector<h5::Link> links =
        h5::list_links(group.handle.id(), h5::LinkOrder::kByName, max_links_, subject);
    n_links_ += links.size();
    list_attributes(group, prefix.substr(0, prefix.size() - !prefix.empty()), subject);
    levels_.push_back({group.address, prefix});
    for (const h5::Link& link : links) {
      count_name(link, prefix, subject);
      follow(link, prefix + link.name);
    }
    levels_.pop_back();
  }

  void list_attributes(const h5::Object& group, const std::string& path, const Subject& subject) {
    if (attribute_bytes_left_ == 0) return;
    const bool all_fit =
        read_attributes(group.handle.id(), path, content_.metadata, attribute_bytes_left_, subject);
    if (all_fit) return;
    attribute_bytes_left_ = 0;
    skip(path,
         fmt::format("and later groups have more than {} bytes of attributes", kMaxAttributeBytes));
  }

  // Counts the links of a group again for each of its names.
  void count_name(const h5::Link& link, const std::string& prefix, const Subject& subject) {
    n_name_bytes_ += prefix.size() + link.name.size();
    if (n_links_ <= max_links_ && n_name_bytes_ <= kMaxNameBytes) return;
    throw subject.error(ErrorCode::kUnsupported,
                        "the file has more than {} links or {} bytes of link paths", max_links_,
                        kMaxNameBytes);
  }

  void follow(const h5::Link& link, const std::string& name) {
    switch (link.kind) {
      case h5::LinkKind::kHard:
        return visit(link.address, name);
      case h5::LinkKind::kSoft:
        return follow_soft(link, name);
      case h5::LinkKind::kExternal:
        return lose(name, "is a link to another file, which is not followed");
      default:
        return lose(name, "is a link of an unknown kind, which is not followed");
    }
  }

  void follow_soft(const h5::Link& link, const std::string& name) {
    const Subject subject = subject_.in("link", name);
    const SoftLinkEnd end =
        follow_soft_link(file_, levels_.back().address, link.target, n_steps_, subject);
    if (n_steps_ > kMaxSteps) {
      throw subject.error(ErrorCode::kUnsupported,
                          "the soft links up to here have more than {} names in their paths",
                          kMaxSteps);
    }
    if (end.address) return visit(*end.address, name);
    std::string what =
        fmt::format("is a soft link to '{}', which {}", shown(link.target), end.problem);
    end.leaves_file ? lose(name, std::move(what)) : skip(name, std::move(what));
  }

  void visit(std::uint64_t address, const std::string& name) {
    const auto known = datasets_.find(address);
    if (known != datasets_.end()) return add(known->second, name);
    const auto level = std::ranges::find(levels_, address, &Level::address);
    if (level != levels_.end()) {
      return skip(name, fmt::format("leads back to group '/{}', which contains it",
                                    shown(level->name.substr(0, level->name.rfind('/')))));
    }
    const h5::Object object = h5::open_object(file_, address, subject_.in("object", name));
    if (object.kind == h5::ObjectKind::kGroup) {
      require_few_names(address, name);
      list_group(object, name + "/");
    } else if (object.kind == h5::ObjectKind::kDataset) {
      add(datasets_.emplace(address, look_at(object, name)).first->second, name);
    } else {
      skip(name, "is not a dataset");
    }
  }

  // A few groups that contain each other under several names would have endless names.
  void require_few_names(std::uint64_t group, const std::string& name) {
    if (groups_.insert(group).second || ++n_second_names_ <= kMaxSecondNames) return;
    throw subject_.in("group", name)
        .error(ErrorCode::kUnsupported, "more than {} groups have a second name", kMaxSecondNames);
  }

  Dataset look_at(const h5::Object& object, const std::string& name) {
    const Subject subject = subject_.in("tensor", name);
    const h5::DatasetInfo info = h5::describe(object.handle.id(), subject);
    const h5::Content content = h5::content_of(object.handle.id(), subject);
    if (!info.has_space) return {std::nullopt, {"", "holds no data"}};
    if (!content.number) return {std::nullopt, {"", "holds " + content.what, content.has_numbers}};
    check(info, content.number->dtype, subject);
    return {
        Hdf5Tensor{
            {"", content.number->dtype, info.shape}, object.address, content.number->big_endian},
        {}};
  }

  void add(Dataset& dataset, const std::string& name) {
    if (!dataset.tensor) {
      content_.skipped.push_back(dataset.skipped);
      content_.skipped.back().name = name;
      return;
    }
    const bool is_first_name = !dataset.first_name;
    if (is_first_name) dataset.first_name = content_.tensors.size();
    content_.tensors.push_back(*dataset.tensor);
    content_.tensors.back().stored_as = *dataset.first_name;
    TensorInfo& info = content_.tensors.back().info;
    info.name = name;
    if (expansion_.take(byte_count(info), is_first_name)) return;
    throw subject_.in("tensor", name)
        .error(
            "its {} bytes are too many: all {} of a file of {} bytes may unpack to {} times that",
            byte_count(info), is_first_name ? "tensors" : "second names of tensors", file_bytes_,
            kMaxExpansion * (is_first_name ? 1 : kSecondNames));
  }

  void check(const h5::DatasetInfo& info, DType dtype, const Subject& subject) const {
    const auto bytes = checked_byte_count(info.shape, dtype);
    if (!bytes) throw subject.error("shape {} overflows 63 bits", to_string(info.shape));
    if (info.is_external || info.layout == h5::Layout::kOther) {
      throw subject.error(ErrorCode::kUnsupported, "its data is in other files");
    }
    const std::string filters = obstacle_in_filters(info.filters);
    if (!filters.empty()) throw subject.error(ErrorCode::kUnsupported, "{}", filters);
    if (info.stored_bytes > file_bytes_ || info.offset.value_or(0) > file_bytes_) {
      throw subject.error("its data is beyond the end of the file");
    }
    if (!expansion_.allows(info.chunk_bytes) || !expansion_.allows(*bytes)) {
      throw subject.error(
          "{} bytes stored unpack to {} in chunks of {}; all tensors of a file of {} bytes may "
          "unpack to {} times that",
          info.stored_bytes, *bytes, info.chunk_bytes, file_bytes_, kMaxExpansion);
    }
  }

  h5::Id file_;
  std::size_t max_links_;
  std::uint64_t file_bytes_;
  NamedExpansion expansion_;
  Subject subject_;
  std::size_t n_links_ = 0;
  std::size_t n_name_bytes_ = 0;
  std::size_t n_second_names_ = 0;
  std::size_t n_steps_ = 0;
  std::size_t attribute_bytes_left_ = kMaxAttributeBytes;
  std::vector<Level> levels_;                  // from the root
  std::set<std::uint64_t> groups_;             // by address
  std::map<std::uint64_t, Dataset> datasets_;  // by address
  Hdf5Content content_;
};

}  // namespace

Hdf5Content walk_hdf5(h5::Id file, std::uint64_t file_bytes, const std::string& path,
                      std::size_t max_links) {
  return Walk(file, file_bytes, path, max_links).run();
}

}  // namespace pqw
