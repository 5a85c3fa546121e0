// Generic HDF5 files, read by a child process.
#include <fmt/format.h>

#include <utility>

#include "core/subject.h"
#include "formats/basic_reader.h"
#include "formats/expansion.h"
#include "formats/hdf5_file.h"
#include "isolate/wire.h"
#include "isolate/worker.h"

namespace pqw {
namespace {

// Request 0 asks for the lists, request i + 1 for the bytes of tensor i.
constexpr std::uint64_t kLists = 0;

// Of a million tensors with names of 60 bytes.
constexpr std::size_t kMaxListBytes = std::size_t{128} << 20;

std::vector<std::byte> encode_lists(const WeightReader& reader) {
  WireWriter out;
  out.number(reader.tensors().size());
  for (std::size_t i = 0; i < reader.tensors().size(); ++i) {
    out.tensor(reader.tensors()[i]);
    out.number(reader.stored_as(i));
  }
  out.number(reader.metadata().size());
  for (const auto& [key, value] : reader.metadata()) {
    out.text(key);
    out.text(value);
  }
  out.number(reader.skipped().size());
  for (const Skipped& skipped : reader.skipped()) {
    out.text(skipped.name);
    out.text(skipped.what);
    out.number(skipped.has_numbers ? 1 : 0);
  }
  return out.take();
}

class IsolatedReader : public BasicReader {
 public:
  explicit IsolatedReader(InputFile file)
      : file_(std::move(file)),
        worker_(file_, [this](std::uint64_t request) { return serve(request); }) {
    decode_lists(worker_.call(kLists, kMaxListBytes));
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const std::size_t size = byte_count(tensors_.at(index));
    std::vector<std::byte> bytes = worker_.call(index + 1, size);
    if (bytes.size() != size) {
      throw Subject{file_.path()}
          .in("tensor", tensors_[index].name)
          .error("{} bytes came, expected {}", bytes.size(), size);
    }
    return bytes;
  }

 private:
  // In the child.
  std::vector<std::byte> serve(std::uint64_t request) {
    if (!direct_) direct_ = open_hdf5_direct(std::move(file_));
    if (request == kLists) return encode_lists(*direct_);
    return direct_->read(request - 1);
  }

  void decode_lists(std::span<const std::byte> bytes) {
    try {
      WireReader in(bytes);
      constexpr std::size_t kLeastTensor = 4 * sizeof(std::uint64_t);
      for (std::size_t n = in.count(kLeastTensor); n > 0; --n) {
        tensors_.push_back(in.tensor());
        stored_as_.push_back(in.number());
      }
      for (std::size_t n = in.count(2 * sizeof(std::uint64_t)); n > 0; --n) {
        std::string key = in.text();
        metadata_[std::move(key)] = in.text();
      }
      for (std::size_t n = in.count(3 * sizeof(std::uint64_t)); n > 0; --n) {
        std::string name = in.text(), what = in.text();
        skipped_.push_back({std::move(name), std::move(what), in.number() != 0});
      }
      in.finish();
    } catch (const Error& error) {
      throw Subject{file_.path()}.error("{}", error.what());
    }
    check_lists();
  }

  // The child may have been taken over.
  void check_lists() const {
    NamedExpansion expansion(file_.size());
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const TensorInfo& info = tensors_[i];
      const auto here = [&] { return Subject{file_.path()}.in("tensor", info.name); };
      if (!is_name_of(i, stored_as_[i])) throw here().error("a name of no tensor");
      if (!expansion.take(byte_count(info), stored_as_[i] == i)) {
        throw here().error("an impossible size");
      }
    }
  }

  // Whether tensor i may be a name of tensor `stored`: its own or a second one.
  bool is_name_of(std::size_t i, std::size_t stored) const {
    return stored <= i && stored_as_[stored] == stored &&
           tensors_[stored].dtype == tensors_[i].dtype &&
           tensors_[stored].shape == tensors_[i].shape;
  }

  InputFile file_;                        // in the child: moved to direct_
  std::unique_ptr<WeightReader> direct_;  // in the child only
  mutable Worker worker_;                 // last: the child is a copy of what is there before it
};

}  // namespace

std::unique_ptr<WeightReader> open_hdf5_isolated(InputFile file) {
  return std::make_unique<IsolatedReader>(std::move(file));
}

}  // namespace pqw
