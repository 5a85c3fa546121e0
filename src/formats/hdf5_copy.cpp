// Copies of HDF5 files in which tensors have other values, written where the old ones are.
#include "formats/hdf5_copy.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/subject.h"
#include "formats/append_range.h"
#include "formats/byte_order.h"
#include "formats/formats.h"
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

class Hdf5Copy : public WeightWriter {
 public:
  Hdf5Copy(InputFile original, const std::string& path, std::vector<TensorInfo> tensors,
           const ReadOptions& reading, const WriteOptions& options)
      : order_(path, std::move(tensors)),
        places_(places_of(original.path(), find_hdf5_places(InputFile(original.path()), reading),
                          order_.tensors())),
        file_(path, options) {
    append_range(file_, original, 0, original.size());
    original.require_unchanged();
  }

  void add(std::span<const std::byte> bytes) override {
    const std::size_t index = order_.next(bytes.size());
    write_hdf5_values(places_[index], bytes,
                      [&](std::uint64_t offset, std::span<const std::byte> values) {
                        file_.write_at(offset, values);
                      });
  }

  void commit() override {
    order_.require_complete();
    file_.commit();
  }

 private:
  WriteOrder order_;
  std::vector<Hdf5Place> places_;
  AtomicFile file_;
};

}  // namespace

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

void write_hdf5_values(
    const Hdf5Place& place, std::span<const std::byte> bytes,
    const std::function<void(std::uint64_t, std::span<const std::byte>)>& write) {
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

std::unique_ptr<WeightWriter> copy_hdf5(InputFile original, const std::string& path,
                                        std::vector<TensorInfo> tensors, const ReadOptions& reading,
                                        const WriteOptions& options) {
  return std::make_unique<Hdf5Copy>(std::move(original), path, std::move(tensors), reading,
                                    options);
}

}  // namespace pqw
