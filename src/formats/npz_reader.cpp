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

// What deflate can reach: 258 bytes from 2 bits. A member that declares more is lying, and the
// memory for it is not allocated.
constexpr std::uint64_t kMaxRatio = 1032;

class NpzReader : public WeightReader {
 public:
  explicit NpzReader(InputFile file)
      : file_(std::move(file)), zip_(open_zip(file_)), expansion_(file_.size()) {
    const auto n_entries = static_cast<zip_uint64_t>(zip_get_num_entries(zip_.get(), 0));
    std::uint64_t stored_bytes = 0;
    for (zip_uint64_t i = 0; i < n_entries; ++i) {
      const zip_stat_t stat = stat_of(i);
      const std::string name = stat.name;
      if (stat.comp_size > file_.size() - stored_bytes) {  // their bytes overlap
        throw Subject{file_.path()}.error(
            "the members up to '{}' claim more stored bytes than the {} of the file", shown(name),
            file_.size());
      }
      stored_bytes += stat.comp_size;
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
    const ZipFilePtr input = open_member(subject, member.zip_index);
    std::array<std::byte, kNpyMaxHeaderBytes> header;
    require_bytes(subject, *input, std::span(header).first(member.header.header_bytes));
    std::vector<std::byte> bytes = allocate_bytes(subject, member.header.data_bytes);
    require_bytes(subject, *input, bytes);
    std::array<std::byte, 1> beyond;  // reaching the end makes libzip compare the checksum
    if (read_bytes(subject, *input, beyond) != 0) {
      throw subject.error("the member holds more bytes than it declares");
    }
    file_.require_unchanged();
    if (needs_conversion(member.header)) bytes = convert_npy(subject, member.header, bytes);
    return bytes;
  }

 private:
  struct Member {
    zip_uint64_t zip_index;
    NpyHeader header;
  };

  zip_stat_t stat_of(zip_uint64_t i) const {
    zip_stat_t stat;
    constexpr auto kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                             ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(zip_.get(), i, ZIP_FL_ENC_STRICT, &stat) != 0 ||
        (stat.valid & kNeeded) != kNeeded) {
      throw Subject{file_.path()}.error("member {} of the zip archive is unreadable: {}", i,
                                        zip_strerror(zip_.get()));
    }
    return stat;
  }

  void add_member(zip_uint64_t zip_index, const std::string& name, const zip_stat_t& stat) {
    const Subject subject = Subject{file_.path()}.in("tensor", name);
    check_stat(subject, stat);
    std::vector<std::byte> prefix(std::min<std::uint64_t>(stat.size, kNpyMaxHeaderBytes));
    const ZipFilePtr input = open_member(subject, zip_index);
    require_bytes(subject, *input, prefix);
    auto header = parse_npy_header(subject, name, prefix, stat.size, skipped_);
    if (!header) return;
    tensors_.push_back(header->info);
    members_.push_back({zip_index, std::move(*header)});
  }

  void check_stat(const Subject& subject, const zip_stat_t& stat) {
    if (stat.encryption_method != ZIP_EM_NONE) {
      throw subject.error(ErrorCode::kUnsupported, "the member is encrypted");
    }
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
      throw subject.error(ErrorCode::kUnsupported,
                          "zip compression method {}, known are stored (0) and deflated (8)",
                          stat.comp_method);
    }
    if (stat.comp_method == ZIP_CM_STORE && stat.comp_size != stat.size) {
      throw subject.error("the member is stored in {} bytes, but declares {}", stat.comp_size,
                          stat.size);
    }
    if (stat.size / kMaxRatio > stat.comp_size) {
      throw subject.error("the member declares {} bytes, {} deflated bytes cannot hold as many",
                          stat.size, stat.comp_size);
    }
    if (!expansion_.take(stat.size)) {
      throw subject.error(
          "the member declares {} bytes; all members of a file of {} bytes may "
          "unpack to {} times that",
          stat.size, file_.size(), kMaxExpansion);
    }
  }

  ZipFilePtr open_member(const Subject& subject, zip_uint64_t zip_index) const {
    ZipFilePtr input(zip_fopen_index(zip_.get(), zip_index, 0));
    if (!input) throw subject.error("the member is unreadable: {}", zip_strerror(zip_.get()));
    return input;
  }

  // Fills `bytes` unless the member ends; returns how many were read.
  static std::size_t read_bytes(const Subject& subject, zip_file_t& input,
                                std::span<std::byte> bytes) {
    std::size_t n = 0;
    while (n < bytes.size()) {
      const zip_int64_t more = zip_fread(&input, bytes.data() + n, bytes.size() - n);
      if (more < 0) throw subject.error("the member is broken: {}", zip_file_strerror(&input));
      if (more == 0) break;
      n += static_cast<std::size_t>(more);
    }
    return n;
  }

  static void require_bytes(const Subject& subject, zip_file_t& input, std::span<std::byte> bytes) {
    if (read_bytes(subject, input, bytes) != bytes.size()) {
      throw subject.error("the member holds fewer bytes than it declares");
    }
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
