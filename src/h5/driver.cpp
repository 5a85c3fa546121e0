// HDF5 reads files from a descriptor that is open and checked, never by a name.
#include "h5/driver.h"

#include <hdf5.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <new>

namespace pqw::h5 {
namespace {

// What the access list carries to `open`.
struct Source {
  int descriptor;
  std::uint64_t size;
};

// HDF5's own part comes first: it hands out pointers to that.
struct File {
  H5FD_t base;
  Source source;
  haddr_t end_of_addresses;
};

File* own_part(H5FD_t* file) { return reinterpret_cast<File*>(file); }
const File* own_part(const H5FD_t* file) { return reinterpret_cast<const File*>(file); }

H5FD_t* open(const char*, unsigned flags, hid_t access_list, haddr_t) {
  const auto* source = static_cast<const Source*>(H5Pget_driver_info(access_list));
  if (source == nullptr || (flags & (H5F_ACC_RDWR | H5F_ACC_CREAT | H5F_ACC_TRUNC)) != 0) {
    return nullptr;
  }
  auto* file = new (std::nothrow) File{};
  if (file == nullptr) return nullptr;
  file->source = *source;
  return &file->base;
}

herr_t close(H5FD_t* file) {
  delete own_part(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  // The last only because H5Fget_eoa asks for it.
  *flags = H5FD_FEAT_ACCUMULATE_METADATA_READ | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_SUPPORTS_SWMR_IO;
  return 0;
}

haddr_t get_end_of_addresses(const H5FD_t* file, H5FD_mem_t) {
  return own_part(file)->end_of_addresses;
}

herr_t set_end_of_addresses(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  own_part(file)->end_of_addresses = address;
  return 0;
}

haddr_t get_end_of_file(const H5FD_t* file, H5FD_mem_t) { return own_part(file)->source.size; }

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) {
  const Source& source = own_part(file)->source;
  if (address > source.size || size > source.size - address) return -1;
  auto* to = static_cast<unsigned char*>(buffer);
  while (size > 0) {
    const ssize_t n = ::pread(source.descriptor, to, size, static_cast<off_t>(address));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    to += n;
    address += static_cast<haddr_t>(n);
    size -= static_cast<std::size_t>(n);
  }
  return 0;
}

herr_t write(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, std::size_t, const void*) { return -1; }

H5FD_class_t driver_class() {
  H5FD_class_t result{};
  result.name = "pqw_descriptor";
  result.maxaddr = INT64_MAX;
  result.fc_degree = H5F_CLOSE_STRONG;
  result.fapl_size = sizeof(Source);
  result.open = open;
  result.close = close;
  result.query = query;
  result.get_eoa = get_end_of_addresses;
  result.set_eoa = set_end_of_addresses;
  result.get_eof = get_end_of_file;
  result.read = read;
  result.write = write;
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

void use_descriptor(Id access_list, const InputFile& file, const Subject& subject) {
  const Source source{file.descriptor(), file.size()};  // copied
  check(H5Pset_driver(access_list, registered_driver(subject), &source), subject, "set a driver");
}

}  // namespace pqw::h5
