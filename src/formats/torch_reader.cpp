// Reads PyTorch's files of tensors.
#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "formats/byte_order.h"
#include "formats/expansion.h"
#include "formats/formats.h"
#include "formats/npy.h"
#include "formats/torch.h"

namespace pqw {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 16;  // on the stack

class TorchReader : public WeightReader {
 public:
  TorchReader(InputFile file, TorchFile opened)
      : file_(std::move(file)),
        opened_(std::move(opened)),
        is_checked_(opened_.storages.size(), false) {
    find_aliases();
    check_expansion();
    for (const TorchTensor& tensor : opened_.content.tensors) tensors_.push_back(tensor.info);
    skipped_ = std::move(opened_.content.skipped);
    file_.require_unchanged();
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const Subject subject = Subject{file_.path()}.in("tensor", tensors_.at(index).name);
    const TorchTensor& tensor = opened_.content.tensors[index];
    const std::size_t storage_index = opened_.storage_of[index];
    const TorchStorage& storage = opened_.storages[storage_index];
    const bool is_packed = storage.member && storage.member->is_packed;
    if (!is_packed) check_storage(subject, storage_index);
    std::vector<std::byte> bytes = allocate_bytes(subject, byte_count(tensor.info));
    read_view(
        tensor.view, tensor.element_bytes, is_packed,
        [&](std::uint64_t begin, std::span<std::byte> part) {
          is_packed ? unpack(subject, *storage.member, begin, part)
                    : file_.read_at(storage.at + begin, part);
        },
        bytes);
    file_.require_unchanged();
    if (opened_.big_endian) swap_bytes(bytes, tensor.number_bytes);
    return bytes;
  }

 private:
  // Equal views of one storage are one tensor.
  void find_aliases() {
    using Place = std::tuple<std::size_t, DType, const StridedView&>;
    std::map<Place, std::size_t> first;
    for (std::size_t i = 0; i < opened_.content.tensors.size(); ++i) {
      const TorchTensor& tensor = opened_.content.tensors[i];
      const Place place{opened_.storage_of[i], tensor.info.dtype, tensor.view};
      stored_as_.push_back(first.try_emplace(place, i).first->second);
    }
  }

  // A packed storage is unpacked up to the last element of each view.
  void check_expansion() const {
    NamedExpansion expansion(file_.size());
    std::vector<bool> is_known(opened_.storages.size(), false);
    for (std::size_t i = 0; i < opened_.content.tensors.size(); ++i) {
      const TorchTensor& tensor = opened_.content.tensors[i];
      const std::size_t storage = opened_.storage_of[i];
      const auto& member = opened_.storages[storage].member;
      std::uint64_t n_bytes = byte_count(tensor.info);
      if (member && member->is_packed) n_bytes += opened_.storages[storage].n_bytes;
      if (!expansion.take(n_bytes, !is_known[storage])) {
        throw Subject{file_.path()}
            .in("tensor", tensor.info.name)
            .error(
                "its {} bytes and the tensors before it are more than a file of {} bytes holds "
                "without being crafted to",
                n_bytes, file_.size());
      }
      is_known[storage] = true;
    }
  }

  // Compares the checksum of a stored member once.
  void check_storage(const Subject& subject, std::size_t index) const {
    const std::lock_guard lock(mutex_);
    const TorchStorage& storage = opened_.storages[index];
    if (!storage.member || is_checked_[index]) return;
    if (zip_checksum(file_, storage.at, storage.n_bytes) != storage.member->crc) {
      throw subject.error(
          "the data of its storage do not match their checksum (the file is damaged, or was saved "
          "after torch.serialization.set_crc32_options(False): load it and save it again)");
    }
    is_checked_[index] = true;
  }

  void unpack(const Subject& subject, const ZipPlace& place, std::uint64_t begin,
              std::span<std::byte> bytes) const {
    const std::lock_guard lock(mutex_);
    const ZipFilePtr member = open_member(subject, *opened_.zip, place.index);
    skip_bytes(subject, *member, begin);
    read_member(subject, *member, bytes);
    skip_bytes(subject, *member, place.n_bytes - begin - bytes.size());
    finish_member(subject, *member);
  }

  static void skip_bytes(const Subject& subject, zip_file_t& member, std::uint64_t n_bytes) {
    std::array<std::byte, kPieceBytes> piece;
    while (n_bytes > 0) {
      const auto part = std::span(piece).first(std::min<std::uint64_t>(piece.size(), n_bytes));
      read_member(subject, member, part);
      n_bytes -= part.size();
    }
  }

  InputFile file_;
  TorchFile opened_;
  mutable std::mutex mutex_;
  mutable std::vector<bool> is_checked_;  // the checksums of storages
};

}  // namespace

TorchFile open_torch_file(const InputFile& file) {
  return is_zip(file) ? open_torch_zip(file) : open_torch_legacy(file);
}

bool is_torch(const InputFile& file) { return is_torch_zip(file) || is_torch_legacy(file); }

std::unique_ptr<WeightReader> open_torch(InputFile file, const ReadOptions&) {
  TorchFile opened = open_torch_file(file);
  return std::make_unique<TorchReader>(std::move(file), std::move(opened));
}

}  // namespace pqw
