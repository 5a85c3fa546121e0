// Reads numpy's .npz files.
#include <algorithm>
#include <array>
#include <mutex>
#include <string_view>
#include <utility>

#include "core/subject.h"
#include "formats/expansion.h"
#include "formats/formats.h"
#include "formats/npy.h"
#include "formats/zip_archive.h"

namespace pqw {
namespace {

constexpr std::string_view kSuffix = ".npy";

class NpzReader : public WeightReader {
 public:
  explicit NpzReader(InputFile file)
      : file_(std::move(file)), zip_(open_zip(file_)), expansion_(file_.size()) {
    require_disjoint_members(file_, *zip_);
    const auto n_entries = static_cast<zip_uint64_t>(zip_get_num_entries(zip_.get(), 0));
    for (zip_uint64_t i = 0; i < n_entries; ++i) {
      const zip_stat_t stat = stat_member(Subject{file_.path()}, *zip_, i);
      const std::string name = stat.name;
      if (name.ends_with(kSuffix)) {
        add_member(i, name.substr(0, name.size() - kSuffix.size()), stat);
      } else {
        skipped_.push_back({name, "is not a .npy file"});
      }
    }
    file_.require_unchanged();
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const Subject subject = Subject{file_.path()}.in("tensor", tensors_.at(index).name);
    const Member& member = members_[index];
    const std::lock_guard lock(mutex_);
    const ZipFilePtr input = open_member(subject, *zip_, member.zip_index);
    std::array<std::byte, kNpyMaxHeaderBytes> header;
    read_member(subject, *input, std::span(header).first(member.header.header_bytes));
    std::vector<std::byte> bytes = allocate_bytes(subject, member.header.data_bytes);
    read_member(subject, *input, bytes);
    finish_member(subject, *input);
    file_.require_unchanged();
    if (needs_conversion(member.header)) bytes = convert_npy(subject, member.header, bytes);
    return bytes;
  }

 private:
  struct Member {
    zip_uint64_t zip_index;
    NpyHeader header;
  };

  void add_member(zip_uint64_t zip_index, const std::string& name, const zip_stat_t& stat) {
    const Subject subject = Subject{file_.path()}.in("tensor", name);
    check_member(subject, stat);
    if (!expansion_.take(stat.size)) {
      throw subject.error(
          "the member declares {} bytes; all members of a file of {} bytes may "
          "unpack to {} times that",
          stat.size, file_.size(), kMaxExpansion);
    }
    std::vector<std::byte> prefix(std::min<std::uint64_t>(stat.size, kNpyMaxHeaderBytes));
    read_member(subject, *open_member(subject, *zip_, zip_index), prefix);
    auto header = parse_npy_header(subject, name, prefix, stat.size, skipped_);
    if (!header) return;
    tensors_.push_back(header->info);
    members_.push_back({zip_index, std::move(*header)});
  }

  InputFile file_;
  ZipPtr zip_;
  mutable std::mutex mutex_;  // members are read from the one position of the zip archive's file
  Expansion expansion_;
  std::vector<Member> members_;
};

}  // namespace

bool is_npz(const InputFile& file) {
  if (!is_zip(file)) return false;
  const auto members = zip_members(file);
  return !members || members->empty() || std::ranges::any_of(*members, [](const std::string& name) {
    return name.ends_with(kSuffix);
  });
}

std::unique_ptr<WeightReader> open_npz(InputFile file, const ReadOptions&) {
  return std::make_unique<NpzReader>(std::move(file));
}

}  // namespace pqw
