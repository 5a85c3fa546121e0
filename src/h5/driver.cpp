// The drivers by which HDF5 reads and writes files that are not its own.
#include "h5/driver.h"

#include <hdf5.h>

#include <exception>
#include <new>
#include <span>
#include <type_traits>

namespace pqw::h5 {
namespace {

// The functions of each kind of file that its driver needs. They return whether they succeed.
bool open_for(unsigned flags, const InputFile&) {
  return (flags & (H5F_ACC_RDWR | H5F_ACC_CREAT | H5F_ACC_TRUNC)) == 0;
}
bool open_for(unsigned flags, SparseFile& file) {
  if ((flags & H5F_ACC_TRUNC) != 0) file.resize(0);
  return true;
}

bool read_from(const InputFile& file, haddr_t address, std::span<std::byte> bytes) {
  if (address > file.size() || bytes.size() > file.size() - address) return false;
  file.read_at(address, bytes);
  return true;
}
bool read_from(const SparseFile& file, haddr_t address, std::span<std::byte> bytes) {
  file.read(address, bytes);
  return true;
}

bool write_to(const InputFile&, haddr_t, std::span<const std::byte>) { return false; }
bool write_to(SparseFile& file, haddr_t address, std::span<const std::byte> bytes) {
  file.write(address, bytes);
  return true;
}

// HDF5's callbacks. The access list carries a pointer to the content.
template <class Content, unsigned long kFeatures>
struct Driver {
  // HDF5's own part comes first: it hands out pointers to that.
  struct File {
    H5FD_t base;
    Content* content;
    haddr_t end_of_addresses;
  };

  static File* own_part(H5FD_t* file) { return reinterpret_cast<File*>(file); }
  static const File* own_part(const H5FD_t* file) { return reinterpret_cast<const File*>(file); }

  static H5FD_t* open(const char*, unsigned flags, hid_t access_list, haddr_t) {
    const auto* content = static_cast<Content* const*>(H5Pget_driver_info(access_list));
    if (content == nullptr || !open_for(flags, **content)) return nullptr;
    auto* file = new (std::nothrow) File{};
    if (file == nullptr) return nullptr;
    file->content = *content;
    return &file->base;
  }

  static herr_t close(H5FD_t* file) {
    delete own_part(file);
    return 0;
  }

  static herr_t query(const H5FD_t*, unsigned long* flags) {
    *flags = kFeatures;
    return 0;
  }

  static haddr_t get_end_of_addresses(const H5FD_t* file, H5FD_mem_t) {
    return own_part(file)->end_of_addresses;
  }

  static herr_t set_end_of_addresses(H5FD_t* file, H5FD_mem_t, haddr_t address) {
    own_part(file)->end_of_addresses = address;
    return 0;
  }

  static haddr_t get_end_of_file(const H5FD_t* file, H5FD_mem_t) {
    return own_part(file)->content->size();
  }

  static herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size,
                     void* buffer) try {
    const std::span bytes(static_cast<std::byte*>(buffer), size);
    return read_from(*own_part(file)->content, address, bytes) ? 0 : -1;
  } catch (const std::exception&) {  // must not pass through HDF5
    return -1;
  }

  static herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size,
                      const void* buffer) try {
    const std::span bytes(static_cast<const std::byte*>(buffer), size);
    return write_to(*own_part(file)->content, address, bytes) ? 0 : -1;
  } catch (const std::exception&) {  // must not pass through HDF5
    return -1;
  }

  static herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
    own_part(file)->content->resize(own_part(file)->end_of_addresses);
    return 0;
  }

  static H5FD_class_t describe(const char* name) {
    H5FD_class_t result{};
    result.name = name;
    result.maxaddr = INT64_MAX;
    result.fc_degree = H5F_CLOSE_STRONG;
    result.fapl_size = sizeof(Content*);
    result.open = open;
    result.close = close;
    result.query = query;
    result.get_eoa = get_end_of_addresses;
    result.set_eoa = set_end_of_addresses;
    result.get_eof = get_end_of_file;
    result.read = read;
    result.write = write;
    if constexpr (!std::is_const_v<Content>) result.truncate = truncate;
    constexpr H5FD_mem_t kByKind[] = H5FD_FLMAP_DICHOTOMY;
    for (std::size_t i = 0; i < H5FD_MEM_NTYPES; ++i) result.fl_map[i] = kByKind[i];
    return result;
  }

  static void use(Id access_list, Content& content, const char* name, const Subject& subject) {
    static const H5FD_class_t cls = describe(name);
    static const Id driver = H5FDregister(&cls);
    check(driver, subject, "register a driver");
    Content* const carried = &content;  // the pointer is copied
    check(H5Pset_driver(access_list, driver, &carried), subject, "set a driver");
  }
};

// H5Fget_eoa asks for the last one.
constexpr unsigned long kToRead =
    H5FD_FEAT_ACCUMULATE_METADATA_READ | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_SUPPORTS_SWMR_IO;

// As HDF5's own driver for files on disk: they decide about the allocation.
constexpr unsigned long kAsOnDisk = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
                                    H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
                                    H5FD_FEAT_SUPPORTS_SWMR_IO | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;

}  // namespace

void use_input_file(Id access_list, const InputFile& file, const Subject& subject) {
  Driver<const InputFile, kToRead>::use(access_list, file, "pqw_descriptor", subject);
}

void use_sparse_file(Id access_list, SparseFile& file, const Subject& subject) {
  Driver<SparseFile, kAsOnDisk>::use(access_list, file, "pqw_sparse", subject);
}

}  // namespace pqw::h5
