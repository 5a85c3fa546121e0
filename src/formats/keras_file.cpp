// Keras' .keras files: zip archives of model.weights.h5, which is an HDF5 file, and config.json.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "core/subject.h"
#include "formats/byte_order.h"
#include "formats/expansion.h"
#include "formats/formats.h"
#include "formats/hdf5_copy.h"
#include "formats/keras_layouts.h"
#include "formats/zip_archive.h"
#include "io/spool.h"

namespace pqw {
namespace {

constexpr const char* kWeights = "model.weights.h5";
constexpr const char* kConfig = "config.json";
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{16} << 20;

struct KerasMembers {
  ZipPtr zip;
  std::vector<ZipPlace> all;
  ZipPlace weights;
};

KerasMembers members_of(const InputFile& file) {
  KerasMembers members{open_zip(file), {}, {}};
  members.all = zip_places(file, *members.zip);
  const auto found = std::ranges::find(members.all, kWeights, &ZipPlace::name);
  if (found == members.all.end()) throw Subject{file.path()}.error("has no member {}", kWeights);
  members.weights = *found;
  return members;
}

// The text of config.json; empty if there is none.
std::string config_of(const InputFile& file, const KerasMembers& members) {
  const auto found = std::ranges::find(members.all, kConfig, &ZipPlace::name);
  std::string config;
  if (found == members.all.end()) return config;
  const Subject subject = Subject{file.path()}.in("member", kConfig);
  if (found->n_bytes > kMaxConfigBytes) {
    throw subject.error(ErrorCode::kUnsupported,
                        "{} bytes, expected {} at most; remove it: zip -d FILE config.json",
                        found->n_bytes, kMaxConfigBytes);
  }
  unpack_member(subject, *members.zip, *found, [&](std::span<const std::byte> bytes) {
    config.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  return config;
}

// The member in a temporary file without a name.
InputFile unpacked_member(const InputFile& file, zip_t& zip, const ZipPlace& place) {
  const Subject subject = Subject{file.path()}.in("member", place.name);
  if (!Expansion(file.size()).allows(place.n_bytes)) {
    throw subject.error(
        "its {} bytes are too many: a file of {} bytes may unpack to {} times that; unzip it and "
        "name "
        "the weight file",
        place.n_bytes, file.size(), kMaxExpansion);
  }
  Spool spool(file.path());
  unpack_member(subject, zip, place, [&](std::span<const std::byte> bytes) { spool.write(bytes); });
  return InputFile(file.path(), spool.release());
}

// The weights as an HDF5 file. Checks their checksum.
InputFile weights_of(const InputFile& file, const KerasMembers& members) {
  const ZipPlace& place = members.weights;
  if (place.is_packed) return unpacked_member(file, *members.zip, place);
  if (zip_checksum(file, place.data_at, place.n_bytes) != place.crc) {
    throw Subject{file.path()}
        .in("member", kWeights)
        .error("its checksum does not match; {}", kFetchAgain);
  }
  return file.part(place.data_at, place.n_bytes);
}

class KerasReader : public WeightReader {
 public:
  KerasReader(const InputFile& file, const ReadOptions& options) {
    const KerasMembers members = members_of(file);
    InputFile weights = weights_of(file, members);
    if (!is_hdf5(weights)) {
      throw Subject{file.path()}
          .in("member", kWeights)
          .error("not an HDF5 file; save the model again");
    }
    weights_ = options.trusted ? open_hdf5_direct(std::move(weights))
                               : open_hdf5_isolated(std::move(weights));
    tensors_ = weights_->tensors();
    metadata_ = weights_->metadata();
    skipped_ = weights_->skipped();
    const bool has_classes = set_keras_layouts(*this, config_of(file, members));
    for (const ZipPlace& place : members.all) {
      const bool is_broken = place.name == kConfig && !has_classes;
      if (place.name != kWeights) {
        skipped_.push_back({place.name, is_broken ? "is not JSON; the kinds of layers follow from "
                                                    "their names alone"
                                                  : "is not the weights"});
      }
    }
    file.require_unchanged();
  }

  std::size_t stored_as(std::size_t index) const override { return weights_->stored_as(index); }
  std::vector<std::byte> read(std::size_t index) const override { return weights_->read(index); }

 private:
  std::unique_ptr<WeightReader> weights_;
};

// Writes the checksum of a member into the directory and into the header before its data.
void write_checksum(const ZipPlace& place, AtomicFile& target) {
  const InputFile copy(target.temporary_path());
  std::array<std::byte, sizeof(std::uint32_t)> bytes;
  store_little_endian(zip_checksum(copy, place.data_at, place.n_bytes), bytes);
  for (const std::uint64_t at : checksum_places(copy, place)) target.write_at(at, bytes);
}

}  // namespace

bool is_keras_archive(const InputFile& file) {
  if (!is_zip(file)) return false;
  const auto members = zip_members(file);
  return members && std::ranges::find(*members, kWeights) != members->end();
}

std::unique_ptr<WeightReader> open_keras(InputFile file, const ReadOptions& options) {
  return std::make_unique<KerasReader>(file, options);
}

std::unique_ptr<WeightWriter> copy_keras(InputFile packed, const std::string& path,
                                         std::vector<TensorInfo> tensors,
                                         const ReadOptions& reading, const WriteOptions& options) {
  const InputFile original = with_stored_members(std::move(packed), path, options);
  const ZipPlace place = members_of(original).weights;
  InputFile weights = original.part(place.data_at, place.n_bytes);
  return make_hdf5_copy(original, place.data_at, std::move(weights), path, std::move(tensors),
                        reading, options,
                        [place](AtomicFile& target) { write_checksum(place, target); });
}

}  // namespace pqw
