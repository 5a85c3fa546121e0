// Copies PyTorch's files of tensors with other values.
#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

#include "formats/byte_order.h"
#include "formats/file_pieces.h"
#include "formats/formats.h"
#include "formats/npy.h"
#include "formats/torch.h"
#include "formats/write_order.h"
#include "pqw/io/atomic_file.h"

namespace pqw {
namespace {

// Overwrites storages in a copy of the file, where every byte keeps its place. REQUIRES: no packed
// members.
class TorchCopy : public WeightWriter {
 public:
  TorchCopy(InputFile original, const std::string& path, std::vector<TensorInfo> tensors,
            const WriteOptions& options)
      : original_(std::move(original)),
        opened_(open_torch_file(original_)),
        order_(path, std::move(tensors)),
        is_changed_(opened_.storages.size(), false),
        target_(path, options) {
    std::unordered_map<std::string_view, std::size_t> indices;
    for (std::size_t i = 0; i < opened_.content.tensors.size(); ++i) {
      indices.emplace(opened_.content.tensors[i].info.name, i);
    }
    for (const TensorInfo& info : order_.tensors()) {
      indices_.push_back(indices.at(info.name));
    }
    for_each_piece(original_, 0, original_.size(), [&](auto bytes) { target_.write(bytes); });
    original_.require_unchanged();
    copy_.emplace(target_.temporary_path());
    checksums_.resize(opened_.content.tensors.size());
  }

  void add(std::span<const std::byte> bytes) override {
    const std::size_t index = indices_.at(order_.next(bytes.size()));
    const TorchTensor& tensor = opened_.content.tensors[index];
    const TorchStorage& storage = opened_.storages[opened_.storage_of[index]];
    std::vector<std::byte> swapped;
    if (opened_.big_endian) {
      swapped = allocate_bytes(subject_of(index), bytes.size());
      std::ranges::copy(bytes, swapped.begin());
      swap_bytes(swapped, tensor.number_bytes);
      bytes = swapped;
    }
    checksums_[index] = zip_checksum(bytes);
    is_changed_[opened_.storage_of[index]] = true;
    write_view(
        tensor.view, tensor.element_bytes,
        [&](std::uint64_t begin, std::span<std::byte> part) {
          copy_->read_at(storage.at + begin, part);
        },
        [&](std::uint64_t begin, std::span<const std::byte> part) {
          target_.write_at(storage.at + begin, part);
        },
        bytes);
  }

  void commit() override {
    order_.require_complete();
    for (std::size_t i = 0; i < checksums_.size(); ++i) {
      if (is_changed_[opened_.storage_of[i]]) require_value(i);
    }
    for (std::size_t i = 0; i < opened_.storages.size(); ++i) {
      const TorchStorage& storage = opened_.storages[i];
      if (is_changed_[i] && storage.member) write_checksum(storage);
    }
    target_.commit();
  }

 private:
  Subject subject_of(std::size_t index) const {
    return Subject{original_.path()}.in("tensor", opened_.content.tensors[index].info.name);
  }

  std::uint32_t checksum_in(const InputFile& file, std::size_t index) const {
    const TorchTensor& tensor = opened_.content.tensors[index];
    const std::uint64_t at = opened_.storages[opened_.storage_of[index]].at;
    std::vector<std::byte> bytes = allocate_bytes(subject_of(index), byte_count(tensor.info));
    read_view(
        tensor.view, tensor.element_bytes, false,
        [&](std::uint64_t begin, std::span<std::byte> part) { file.read_at(at + begin, part); },
        bytes);
    return zip_checksum(bytes);
  }

  // Tensors that share elements must be given equal values, and those that are not given keep
  // theirs.
  void require_value(std::size_t index) const {
    const auto& given = checksums_[index];
    if (checksum_in(*copy_, index) == (given ? *given : checksum_in(original_, index))) return;
    throw subject_of(index).error(
        ErrorCode::kInvalidArgument,
        "it shares elements of storage '{}' with other tensors, which {} other values; decode to "
        "safetensors, or quantize with all of them left out (--exclude)",
        shown(opened_.content.tensors[index].key), given ? "were given" : "alone were given");
  }

  // In the directory, in the header before the data, and in the descriptor after them.
  void write_checksum(const TorchStorage& storage) {
    const ZipPlace& place = *storage.member;
    const std::uint32_t crc = zip_checksum(*copy_, storage.at, storage.n_bytes);
    for (const std::uint64_t at : checksum_places(*copy_, place)) {
      std::array<std::byte, sizeof(crc)> bytes;
      store_little_endian(crc, bytes);
      target_.write_at(at, bytes);
    }
  }

  InputFile original_;
  TorchFile opened_;
  WriteOrder order_;
  std::vector<std::size_t> indices_;                     // of the order, in the file
  std::vector<std::optional<std::uint32_t>> checksums_;  // of the tensors given
  std::vector<bool> is_changed_;                         // storages
  AtomicFile target_;
  std::optional<InputFile> copy_;  // the target, for reading
};

}  // namespace

std::unique_ptr<WeightWriter> copy_torch(InputFile original, const std::string& path,
                                         std::vector<TensorInfo> tensors, const ReadOptions&,
                                         const WriteOptions& options) {
  InputFile stored = is_zip(original) ? with_stored_members(std::move(original), path, options)
                                      : std::move(original);
  return std::make_unique<TorchCopy>(std::move(stored), path, std::move(tensors), options);
}

}  // namespace pqw
