// A file in memory in which only written blocks take space, for HDF5 to write to.
#include "h5/sparse_file.h"

#include <hdf5.h>

#include <algorithm>
#include <exception>
#include <new>

namespace pqw::h5 {

void SparseFile::resize(std::uint64_t size) {
  if (size < size_) {
    const std::uint64_t n_blocks = (size + kBlockBytes - 1) / kBlockBytes;
    blocks_.erase(blocks_.lower_bound(n_blocks), blocks_.end());
    const auto last = blocks_.find(size / kBlockBytes);
    if (last != blocks_.end()) {
      std::ranges::fill(std::span(last->second).subspan(size % kBlockBytes), std::byte{0});
    }
  }
  size_ = size;
}

void SparseFile::write(std::uint64_t address, std::span<const std::byte> bytes) {
  size_ = std::max(size_, address + bytes.size());
  while (!bytes.empty()) {
    const std::size_t begin = address % kBlockBytes;
    const std::size_t n = std::min(kBlockBytes - begin, bytes.size());
    std::ranges::copy(bytes.first(n),
                      blocks_[address / kBlockBytes].begin() + static_cast<std::ptrdiff_t>(begin));
    address += n;
    bytes = bytes.subspan(n);
  }
}

void SparseFile::read(std::uint64_t address, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const std::size_t begin = address % kBlockBytes;
    const std::size_t n = std::min(kBlockBytes - begin, bytes.size());
    const auto block = blocks_.find(address / kBlockBytes);
    if (block == blocks_.end()) {
      std::ranges::fill(bytes.first(n), std::byte{0});
    } else {
      std::ranges::copy(std::span(block->second).subspan(begin, n), bytes.begin());
    }
    address += n;
    bytes = bytes.subspan(n);
  }
}

namespace {

// HDF5's own part comes first: it hands out pointers to that.
struct File {
  H5FD_t base;
  SparseFile* content;
  haddr_t end_of_addresses;
};

File* own_part(H5FD_t* file) { return reinterpret_cast<File*>(file); }
const File* own_part(const H5FD_t* file) { return reinterpret_cast<const File*>(file); }

H5FD_t* open(const char*, unsigned flags, hid_t access_list, haddr_t) {
  const auto* content = static_cast<SparseFile* const*>(H5Pget_driver_info(access_list));
  if (content == nullptr) return nullptr;
  auto* file = new (std::nothrow) File{};
  if (file == nullptr) return nullptr;
  file->content = *content;
  if ((flags & H5F_ACC_TRUNC) != 0) file->content->resize(0);
  return &file->base;
}

herr_t close(H5FD_t* file) {
  delete own_part(file);
  return 0;
}

// As HDF5's own driver for files on disk: they decide about the allocation.
herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_SUPPORTS_SWMR_IO |
           H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t get_end_of_addresses(const H5FD_t* file, H5FD_mem_t) {
  return own_part(file)->end_of_addresses;
}

herr_t set_end_of_addresses(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  own_part(file)->end_of_addresses = address;
  return 0;
}

haddr_t get_end_of_file(const H5FD_t* file, H5FD_mem_t) { return own_part(file)->content->size(); }

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) {
  own_part(file)->content->read(address, {static_cast<std::byte*>(buffer), size});
  return 0;
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size,
             const void* buffer) {
  try {
    own_part(file)->content->write(address, {static_cast<const std::byte*>(buffer), size});
    return 0;
  } catch (const std::exception&) {  // must not pass through HDF5
    return -1;
  }
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  own_part(file)->content->resize(own_part(file)->end_of_addresses);
  return 0;
}

H5FD_class_t driver_class() {
  H5FD_class_t result{};
  result.name = "pqw_sparse";
  result.maxaddr = INT64_MAX;
  result.fc_degree = H5F_CLOSE_STRONG;
  result.fapl_size = sizeof(SparseFile*);
  result.open = open;
  result.close = close;
  result.query = query;
  result.get_eoa = get_end_of_addresses;
  result.set_eoa = set_end_of_addresses;
  result.get_eof = get_end_of_file;
  result.read = read;
  result.write = write;
  result.truncate = truncate;
  constexpr H5FD_mem_t kByKind[] = H5FD_FLMAP_DICHOTOMY;
  for (std::size_t i = 0; i < H5FD_MEM_NTYPES; ++i) result.fl_map[i] = kByKind[i];
  return result;
}

Id registered_driver(const Subject& subject) {
  static const H5FD_class_t cls = driver_class();
  static const Id driver = H5FDregister(&cls);
  check(driver, subject, "register a driver");
  return driver;
}

}  // namespace

void use_sparse_file(Id access_list, SparseFile& file, const Subject& subject) {
  const SparseFile* const content = &file;  // the pointer is copied
  check(H5Pset_driver(access_list, registered_driver(subject), &content), subject, "set a driver");
}

}  // namespace pqw::h5
