// Copies of files that are or hold an HDF5 file, in which tensors have other values.
#include "formats/hdf5_copy.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/subject.h"
#include "formats/append_range.h"
#include "formats/byte_order.h"
#include "formats/formats.h"
#include "formats/hdf5_copy.h"
#include "formats/hdf5_places.h"
#include "formats/write_order.h"

namespace pqw {
namespace {

// Elements of a tensor that are neighbours in it and in the file.
struct Run {
  std::size_t first;     // index of the first one
  std::uint64_t offset;  // of it in the file
  std::size_t count;
};

// Calls fn(run) for the rows of a chunk that are in the tensor.
template <class Fn>
void for_each_run(const Hdf5Place& place, const Hdf5Extent& extent, const Fn& fn) {
  const Shape &shape = place.info.shape, &chunk = place.chunk;
  const std::size_t width = size_in_bytes(place.info.dtype), rank = shape.size();
  if (chunk == shape) return fn(Run{0, extent.offset, element_count(shape)});
  Shape size(rank), at(rank);
  for (std::size_t i = 0; i < rank; ++i) size[i] = std::min(chunk[i], shape[i] - extent.start[i]);
  for (;;) {
    std::size_t in_tensor = 0, in_chunk = 0;
    for (std::size_t i = 0; i < rank; ++i) {
      in_tensor = in_tensor * shape[i] + extent.start[i] + at[i];
      in_chunk = in_chunk * chunk[i] + at[i];
    }
    fn(Run{in_tensor, extent.offset + in_chunk * width, size[rank - 1]});
    std::size_t i = rank - 1;
    do {
      if (i == 0) return;
      --i;
      at[i] = (at[i] + 1) % size[i];
    } while (at[i] == 0);
  }
}

// The places of `tensors`, found by name in `all`.
std::vector<Hdf5Place> places_of(const std::string& path, std::vector<Hdf5Place> all,
                                 const std::vector<TensorInfo>& tensors) {
  std::map<std::string, Hdf5Place> by_name;
  for (Hdf5Place& place : all) by_name.emplace(place.info.name, std::move(place));
  std::vector<Hdf5Place> places;
  for (const TensorInfo& info : tensors) {
    places.push_back(by_name.at(info.name));
    if (places.back().obstacle.empty()) continue;
    throw Subject{path, ErrorCode::kUnsupported}
        .in("tensor", info.name)
        .error("its values cannot be replaced: {}", places.back().obstacle);
  }
  return places;
}

// Calls write(offset, bytes) with the values of one tensor in the order and byte order of the file.
// Layout: bytes are row-major and little-endian.
template <class Write>
void write_values(const Hdf5Place& place, std::span<const std::byte> bytes, const Write& write) {
  const std::size_t width = size_in_bytes(place.info.dtype);
  std::vector<std::byte> swapped;
  if (place.big_endian) {
    swapped.assign(bytes.begin(), bytes.end());
    swap_bytes(swapped, width);
    bytes = swapped;
  }
  for (const Hdf5Extent& extent : place.extents) {
    for_each_run(place, extent, [&](const Run& run) {
      write(run.offset, bytes.subspan(run.first * width, run.count * width));
    });
  }
}

class Hdf5Copy : public WeightWriter {
 public:
  Hdf5Copy(const InputFile& original, std::uint64_t begin, std::vector<Hdf5Place> places,
           const std::string& path, std::vector<TensorInfo> tensors, const WriteOptions& options,
           std::function<void(AtomicFile&)> finish)
      : order_(path, std::move(tensors)),
        begin_(begin),
        places_(places_of(original.path(), std::move(places), order_.tensors())),
        file_(path, options),
        finish_(std::move(finish)) {
    append_range(file_, original, 0, original.size());
    original.require_unchanged();
  }

  void add(std::span<const std::byte> bytes) override {
    const std::size_t index = order_.next(bytes.size());
    write_values(places_[index], bytes,
                 [&](std::uint64_t offset, std::span<const std::byte> values) {
                   file_.write_at(begin_ + offset, values);
                 });
  }

  void commit() override {
    order_.require_complete();
    finish_(file_);
    file_.commit();
  }

 private:
  WriteOrder order_;
  std::uint64_t begin_;
  std::vector<Hdf5Place> places_;
  AtomicFile file_;
  std::function<void(AtomicFile&)> finish_;
};

}  // namespace

std::unique_ptr<WeightWriter> make_hdf5_copy(const InputFile& original, std::uint64_t begin,
                                             InputFile hdf5, const std::string& path,
                                             std::vector<TensorInfo> tensors,
                                             const ReadOptions& reading,
                                             const WriteOptions& options,
                                             std::function<void(AtomicFile&)> finish) {
  return std::make_unique<Hdf5Copy>(original, begin, find_hdf5_places(std::move(hdf5), reading),
                                    path, std::move(tensors), options, std::move(finish));
}

std::unique_ptr<WeightWriter> copy_hdf5(InputFile original, const std::string& path,
                                        std::vector<TensorInfo> tensors, const ReadOptions& reading,
                                        const WriteOptions& options) {
  return make_hdf5_copy(original, 0, original.part(0, original.size()), path, std::move(tensors),
                        reading, options, [](AtomicFile&) {});
}

}  // namespace pqw
