// Finds the bytes of an HDF5 file that hold the values of its tensors.
#include "formats/hdf5_places.h"

#include <utility>

#include "core/subject.h"
#include "formats/formats.h"
#include "formats/hdf5_walk.h"
#include "h5/dataset.h"
#include "h5/file.h"
#include "h5/group.h"
#include "isolate/isolated.h"
#include "isolate/wire.h"

namespace pqw {
namespace {

constexpr std::size_t kMaxChunks = 4096;  // HDF5 takes longer with each to find the next
constexpr std::size_t kMaxListBytes = std::size_t{128} << 20;

struct Places {
  std::vector<Hdf5Place> all;
};

std::string obstacle_to(const h5::DatasetInfo& info, bool has_user_block) {
  if (!info.filters.empty()) {
    return "its chunks are packed with filters; unpack the template with h5repack -f NONE";
  }
  if (info.layout == h5::Layout::kCompact) {
    return "its values are in its header; move them with h5repack -l CONTI";
  }
  if (info.layout == h5::Layout::kChunked && has_user_block) {
    return "it has chunks after a user block; move them with h5repack -l CONTI";
  }
  return "";
}

void find_extents(h5::Id dataset, const h5::DatasetInfo& info, Hdf5Place& place,
                  const Subject& subject) {
  place.chunk = info.shape;
  if (element_count(info.shape) == 0) return;
  if (info.layout == h5::Layout::kContiguous && info.offset) {
    place.extents.push_back({Shape(info.shape.size(), 0), *info.offset});
  } else if (info.layout == h5::Layout::kChunked) {
    place.chunk = info.chunk;
    for (h5::Chunk& chunk : h5::list_chunks(dataset, info.shape.size(), kMaxChunks, subject)) {
      place.extents.push_back({std::move(chunk.start), chunk.offset});
    }
  }
  std::size_t n_chunks = 1;
  for (std::size_t i = 0; i < info.shape.size(); ++i) {
    n_chunks *= (info.shape[i] + place.chunk[i] - 1) / place.chunk[i];
  }
  if (place.extents.size() != n_chunks) {
    place.obstacle = "some of its values were never written; write them with h5repack -l CONTI";
  }
}

std::unique_ptr<Places> find_places(InputFile input) {
  const Subject file_subject{input.path()};
  const auto lock = h5::exclusive();
  const h5::Handle file = h5::open_file(input, file_subject);
  const bool has_user_block = h5::find_superblock(input) != 0;
  auto places = std::make_unique<Places>();
  for (const Hdf5Tensor& tensor : walk_hdf5(file.id(), input.size(), input.path()).tensors) {
    const Subject subject = file_subject.in("tensor", tensor.info.name);
    const h5::Object object = h5::open_object(file.id(), tensor.address, subject);
    const h5::DatasetInfo info = h5::describe(object.handle.id(), subject);
    Hdf5Place place{tensor.info, tensor.big_endian, {}};
    place.obstacle = obstacle_to(info, has_user_block);
    if (place.obstacle.empty()) find_extents(object.handle.id(), info, place, subject);
    places->all.push_back(std::move(place));
  }
  return places;
}

std::vector<std::byte> encode(const Places& places) {
  WireWriter out;
  out.number(places.all.size());
  for (const Hdf5Place& place : places.all) {
    out.tensor(place.info);
    out.number(place.big_endian ? 1 : 0);
    out.text(place.obstacle);
    out.number(place.chunk.size());
    for (const std::size_t dim : place.chunk) out.number(dim);
    out.number(place.obstacle.empty() ? place.extents.size() : 0);
    if (!place.obstacle.empty()) continue;
    for (const Hdf5Extent& extent : place.extents) {
      for (const std::size_t at : extent.start) out.number(at);
      out.number(extent.offset);
    }
  }
  return out.take();
}

std::vector<std::byte> no_data(const Places&, std::size_t) { return {}; }

// Whether the chunk lies in the tensor and in the file.
bool is_inside(const Hdf5Place& place, const Hdf5Extent& extent, std::uint64_t file_bytes) {
  for (std::size_t i = 0; i < place.info.shape.size(); ++i) {
    if (extent.start[i] >= place.info.shape[i] || extent.start[i] % place.chunk[i] != 0) {
      return false;
    }
  }
  const auto n_bytes = checked_byte_count(place.chunk, place.info.dtype);
  return n_bytes && extent.offset <= file_bytes && *n_bytes <= file_bytes - extent.offset;
}

Hdf5Place decode_place(WireReader& in, std::uint64_t file_bytes) {
  constexpr std::size_t kNumber = sizeof(std::uint64_t);
  Hdf5Place place{in.tensor(), in.number() != 0, {}};
  place.obstacle = in.text();
  const std::size_t rank = place.info.shape.size();
  const std::size_t n_dims = in.count(kNumber);
  in.require(n_dims == 0 || n_dims == rank);
  for (std::size_t i = 0; i < n_dims; ++i) place.chunk.push_back(in.number());
  for (std::size_t n = in.count((rank + 1) * kNumber); n > 0; --n) {
    in.require(n_dims == rank);
    Hdf5Extent extent;
    for (std::size_t i = 0; i < rank; ++i) {
      in.require(place.chunk[i] > 0);
      extent.start.push_back(in.number());
    }
    extent.offset = in.number();
    in.require(is_inside(place, extent, file_bytes));
    place.extents.push_back(std::move(extent));
  }
  return place;
}

}  // namespace

std::vector<Hdf5Place> find_hdf5_places(InputFile file, const ReadOptions& options) {
  if (options.trusted) return std::move(find_places(std::move(file))->all);
  const std::string path = file.path();
  const std::uint64_t file_bytes = file.size();
  const Isolated<Places> isolated(std::move(file), {find_places, encode, no_data});
  const std::vector<std::byte> bytes = isolated.lists(kMaxListBytes);
  WireReader in(bytes, Subject{path});
  std::vector<Hdf5Place> places;
  for (std::size_t n = in.count(8 * sizeof(std::uint64_t)); n > 0; --n) {
    places.push_back(decode_place(in, file_bytes));
  }
  in.finish();
  return places;
}

}  // namespace pqw
