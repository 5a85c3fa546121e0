// Generic HDF5 files, read by a child process.
#include <utility>

#include "core/subject.h"
#include "formats/expansion.h"
#include "formats/formats.h"
#include "isolate/isolated.h"
#include "isolate/wire.h"

namespace pqw {
namespace {

// Of a million tensors with names of 60 bytes.
constexpr std::size_t kMaxListBytes = std::size_t{128} << 20;

std::vector<std::byte> encode_lists(const WeightReader& reader) {
  WireWriter out;
  out.number(reader.tensors().size());
  for (std::size_t i = 0; i < reader.tensors().size(); ++i) {
    out.tensor(reader.tensors()[i]);
    out.number(reader.stored_as(i));
  }
  out.texts(reader.metadata());
  out.number(reader.skipped().size());
  for (const Skipped& skipped : reader.skipped()) {
    out.text(skipped.name);
    out.text(skipped.what);
    out.number(skipped.has_numbers ? 1 : 0);
  }
  return out.take();
}

std::vector<std::byte> read_tensor(const WeightReader& reader, std::size_t index) {
  return reader.read(index);
}

class IsolatedReader : public WeightReader {
 public:
  explicit IsolatedReader(InputFile file)
      : isolated_(std::move(file), {open_hdf5_direct, encode_lists, read_tensor}) {
    decode_lists(isolated_.lists(kMaxListBytes));
    check_lists();
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const std::size_t size = byte_count(tensors_.at(index));
    std::vector<std::byte> bytes = isolated_.data(index, size);
    if (bytes.size() == size) return bytes;
    throw subject_of(index).error("{} bytes came, expected {}", bytes.size(), size);
  }

 private:
  void decode_lists(std::span<const std::byte> bytes) {
    WireReader in(bytes, Subject{isolated_.file().path()});
    for (std::size_t n = in.count(4 * sizeof(std::uint64_t)); n > 0; --n) {
      tensors_.push_back(in.tensor());
      stored_as_.push_back(in.number());
    }
    metadata_ = in.texts();
    for (std::size_t n = in.count(3 * sizeof(std::uint64_t)); n > 0; --n) {
      std::string name = in.text(), what = in.text();
      skipped_.push_back({std::move(name), std::move(what), in.number() != 0});
    }
    in.finish();
  }

  void check_lists() const {
    NamedExpansion expansion(isolated_.file().size());
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (!is_name_of(i, stored_as_[i]))
        throw subject_of(i).error("the answer names a tensor that does not exist");
      if (!expansion.take(byte_count(tensors_[i]), stored_as_[i] == i)) {
        throw subject_of(i).error("an impossible size");
      }
    }
  }

  // Whether tensor i may be a name of tensor `stored`: its own or a second one.
  bool is_name_of(std::size_t i, std::size_t stored) const {
    return stored <= i && stored_as_[stored] == stored &&
           tensors_[stored].dtype == tensors_[i].dtype &&
           tensors_[stored].shape == tensors_[i].shape;
  }

  Subject subject_of(std::size_t index) const {
    return Subject{isolated_.file().path()}.in("tensor", tensors_[index].name);
  }

  Isolated<WeightReader> isolated_;
};

}  // namespace

std::unique_ptr<WeightReader> open_hdf5_isolated(InputFile file) {
  return std::make_unique<IsolatedReader>(std::move(file));
}

}  // namespace pqw
