// HDF5 files made to harm whoever reads them.
#include "tests/hostile/hdf5_files.h"

#include <hdf5.h>
#include <sys/stat.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>

namespace pqw::test {
namespace {

constexpr hsize_t kSecretBytes = sizeof(kSecret) - 1;

// The test must not trust itself either: a file that could not be made proves nothing.
hid_t made(hid_t id) {
  if (id < 0) throw std::runtime_error("HDF5 refuses to make a hostile file");
  return id;
}

void add_dataset(hid_t file, const char* name, hid_t type, const std::vector<hsize_t>& shape,
                 const std::function<void(hid_t)>& set = {}, const void* data = nullptr) {
  const hid_t list = made(H5Pcreate(H5P_DATASET_CREATE));
  if (set) set(list);
  const hid_t space = made(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr));
  const hid_t id = made(H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT));
  if (data != nullptr) made(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
  H5Dclose(id);
  H5Sclose(space);
  H5Pclose(list);
}

void make_file(const std::string& path, const std::function<void(hid_t)>& fill,
               H5F_libver_t version = H5F_LIBVER_EARLIEST) {
  const hid_t access = made(H5Pcreate(H5P_FILE_ACCESS));
  made(H5Pset_libver_bounds(access, version, H5F_LIBVER_V110));
  const hid_t file = made(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access));
  H5Pclose(access);
  const unsigned char good[] = {1, 2};
  add_dataset(file, "good", H5T_STD_U8LE, {2}, {}, good);
  fill(file);
  made(H5Fclose(file));
}

void external_link(const std::string& path, const std::string& secret) {
  make_file(path, [&](hid_t file) {
    made(H5Lcreate_external((secret + ".h5").c_str(), "w", file, "bad", H5P_DEFAULT, H5P_DEFAULT));
  });
}

void external_link_to_fifo(const std::string& path, const std::string& secret) {
  (void)::mkfifo((secret + ".fifo").c_str(), 0600);
  make_file(path, [&](hid_t file) {
    made(
        H5Lcreate_external((secret + ".fifo").c_str(), "w", file, "bad", H5P_DEFAULT, H5P_DEFAULT));
  });
}

void soft_link(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    made(H5Lcreate_soft("/good", file, "bad", H5P_DEFAULT, H5P_DEFAULT));
  });
}

void soft_link_cycle(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    made(H5Lcreate_soft("/bad", file, "bad", H5P_DEFAULT, H5P_DEFAULT));
  });
}

void soft_link_over_external(const std::string& path, const std::string& secret) {
  make_file(path, [&](hid_t file) {
    made(H5Lcreate_external((secret + ".h5").c_str(), "/", file, "bad", H5P_DEFAULT, H5P_DEFAULT));
    made(H5Lcreate_soft("bad/w", file, "soft", H5P_DEFAULT, H5P_DEFAULT));
  });
}

// Within a group that holds itself a path can be as long as one likes.
void add_long_path(hid_t file, int n_links) {
  H5Gclose(made(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)));
  made(H5Lcreate_hard(file, "g", file, "g/g", H5P_DEFAULT, H5P_DEFAULT));
  made(H5Lcreate_hard(file, "good", file, "g/good", H5P_DEFAULT, H5P_DEFAULT));
  std::string target;
  for (int i = 0; i < 30000; ++i) target += "g/";
  target += "good";
  for (int i = 0; i < n_links; ++i) {
    made(H5Lcreate_soft(target.c_str(), file, ("soft" + std::to_string(i)).c_str(), H5P_DEFAULT,
                        H5P_DEFAULT));
  }
}

void soft_link_over_long_path(const std::string& path, const std::string&) {
  make_file(
      path, [](hid_t file) { add_long_path(file, 1); }, H5F_LIBVER_V110);
}

void many_long_soft_links(const std::string& path, const std::string&) {
  make_file(
      path, [](hid_t file) { add_long_path(file, 50); }, H5F_LIBVER_V110);
}

// Each group holds the next one under two names.
void multiply_groups(hid_t file, const std::string& first, const std::string& second) {
  std::string name = first;
  for (int i = 0; i < 40; ++i, name += "/" + first) {
    const std::string group = name.substr(0, name.size() - first.size());
    H5Gclose(made(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)));
    made(H5Lcreate_hard(file, name.c_str(), file, (group + second).c_str(), H5P_DEFAULT,
                        H5P_DEFAULT));
  }
}

void groups_that_multiply(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) { multiply_groups(file, "a", "b"); });
}

void long_names_that_multiply(const std::string& path, const std::string&) {
  make_file(
      path,
      [](hid_t file) { multiply_groups(file, std::string(1000, 'a'), std::string(1000, 'b')); },
      H5F_LIBVER_V110);
}

void hard_link_cycle(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    made(H5Lcreate_hard(file, "/", file, "bad", H5P_DEFAULT, H5P_DEFAULT));
  });
}

void external_raw(const std::string& path, const std::string& secret) {
  make_file(path, [&](hid_t file) {
    add_dataset(file, "bad", H5T_STD_U8LE, {kSecretBytes}, [&](hid_t list) {
      made(H5Pset_external(list, (secret + ".bin").c_str(), 0, kSecretBytes));
    });
  });
}

void virtual_dataset(const std::string& path, const std::string& secret) {
  make_file(path, [&](hid_t file) {
    add_dataset(file, "bad", H5T_STD_U8LE, {kSecretBytes}, [&](hid_t list) {
      const hid_t space = made(H5Screate_simple(1, &kSecretBytes, nullptr));
      made(H5Pset_virtual(list, space, (secret + ".h5").c_str(), "w", space));
      H5Sclose(space);
    });
  });
}

// The identifier of the plugin that the tests plant.
void unknown_filter(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hsize_t chunk = 2, start = 0;
    add_dataset(file, "bad", H5T_STD_U8LE, {2}, [&](hid_t list) {
      made(H5Pset_chunk(list, 1, &chunk));
      made(H5Pset_filter(list, 32042, H5Z_FLAG_OPTIONAL, 0, nullptr));
    });
    const hid_t id = made(H5Dopen2(file, "bad", H5P_DEFAULT));
    made(H5Dwrite_chunk(id, H5P_DEFAULT, 0, &start, 2, "ab"));
    H5Dclose(id);
  });
}

void filter_twice(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hsize_t chunk = 2;
    add_dataset(file, "bad", H5T_STD_U8LE, {2}, [&](hid_t list) {
      made(H5Pset_chunk(list, 1, &chunk));
      for (int i = 0; i < 20; ++i) made(H5Pset_deflate(list, 9));
    });
  });
}

void nested_arrays(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    hid_t type = H5Tcopy(H5T_STD_U8LE);
    for (int i = 0; i < 28; ++i) {
      const hsize_t one = 1;
      const hid_t outer = made(H5Tarray_create2(type, 1, &one));
      H5Tclose(type);
      type = outer;
    }
    add_dataset(file, "bad", type, {1});
    H5Tclose(type);
  });
}

// Each structure holds the one before it twice.
void nested_structures(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    hid_t type = H5Tcopy(H5T_C_S1);
    for (int i = 0; i < 9; ++i) {
      const std::size_t bytes = H5Tget_size(type);
      const hid_t outer = made(H5Tcreate(H5T_COMPOUND, 2 * bytes));
      made(H5Tinsert(outer, "a", 0, type));
      made(H5Tinsert(outer, "b", bytes, type));
      H5Tclose(type);
      type = outer;
    }
    add_dataset(file, "bad", type, {1});
    H5Tclose(type);
  });
}

void compound(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hid_t type = made(H5Tcreate(H5T_COMPOUND, 8));
    made(H5Tinsert(type, "a", 0, H5T_IEEE_F32LE));
    made(H5Tinsert(type, "b", 4, H5T_IEEE_F32LE));
    add_dataset(file, "bad", type, {3});
    H5Tclose(type);
  });
}

void variable_length(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hid_t type = made(H5Tvlen_create(H5T_IEEE_F32LE));
    add_dataset(file, "bad", type, {3});
    H5Tclose(type);
  });
}

void references(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) { add_dataset(file, "bad", H5T_STD_REF_DSETREG, {3}); });
}

void committed_type(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    made(H5Tcommit2(file, "bad", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Tclose(type);
  });
}

void wide_integers(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hid_t type = H5Tcopy(H5T_STD_U8LE);
    made(H5Tset_size(type, 1 << 20));
    add_dataset(file, "bad", type, {1});
    H5Tclose(type);
  });
}

void shape_bomb(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) { add_dataset(file, "bad", H5T_IEEE_F32LE, {hsize_t{1} << 38}); });
}

void shape_of_exabytes(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hsize_t chunk[] = {1, 1};
    add_dataset(file, "bad", H5T_IEEE_F64LE, {hsize_t{1} << 31, hsize_t{1} << 29},
                [&](hid_t list) { made(H5Pset_chunk(list, 2, chunk)); });
  });
}

void many_shape_bombs(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    for (int i = 0; i < 1000; ++i) {
      add_dataset(file, ("bad" + std::to_string(i)).c_str(), H5T_IEEE_F32LE, {hsize_t{1} << 22});
    }
  });
}

void chunk_bomb(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hsize_t size = 2, most = H5S_UNLIMITED, chunk = hsize_t{1} << 29;
    const hid_t list = made(H5Pcreate(H5P_DATASET_CREATE));
    made(H5Pset_chunk(list, 1, &chunk));
    const hid_t space = made(H5Screate_simple(1, &size, &most));
    H5Dclose(made(H5Dcreate2(file, "bad", H5T_IEEE_F32LE, space, H5P_DEFAULT, list, H5P_DEFAULT)));
    H5Sclose(space);
    H5Pclose(list);
  });
}

// A gibibyte of zeros in about a mebibyte.
void deflate_bomb(const std::string& path, const std::string&) {
  constexpr hsize_t kChunk = 1 << 20, kChunks = 1024;
  const std::vector<Bytef> zeros(kChunk);
  std::vector<Bytef> packed(compressBound(kChunk));
  uLongf n_packed = packed.size();
  if (compress2(packed.data(), &n_packed, zeros.data(), kChunk, 9) != Z_OK) made(-1);
  make_file(path, [&](hid_t file) {
    const hsize_t size = kChunk * kChunks;
    add_dataset(file, "bad", H5T_STD_U8LE, {size}, [&](hid_t list) {
      made(H5Pset_chunk(list, 1, &kChunk));
      made(H5Pset_deflate(list, 9));
    });
    const hid_t id = made(H5Dopen2(file, "bad", H5P_DEFAULT));
    for (hsize_t at = 0; at < size; at += kChunk) {
      made(H5Dwrite_chunk(id, H5P_DEFAULT, 0, &at, n_packed, packed.data()));
    }
    H5Dclose(id);
  });
}

void deep_groups(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    hid_t group = made(H5Gopen2(file, "/", H5P_DEFAULT));
    for (int i = 0; i < 5000; ++i) {
      const hid_t inner = made(H5Gcreate2(group, "bad", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
      H5Gclose(group);
      group = inner;
    }
    H5Gclose(group);
  });
}

void many_links(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    for (int i = 0; i < 2000; ++i) {
      made(H5Lcreate_hard(file, "good", file, ("link" + std::to_string(i)).c_str(), H5P_DEFAULT,
                          H5P_DEFAULT));
    }
  });
}

void many_names_of_much_data(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hsize_t chunk = 1 << 16;
    add_dataset(file, "bad", H5T_STD_U8LE, {1 << 24}, [&](hid_t list) {
      made(H5Pset_chunk(list, 1, &chunk));
      made(H5Pset_deflate(list, 9));
    });
    for (int i = 0; i < 1000; ++i) {
      made(H5Lcreate_hard(file, "bad", file, ("bad" + std::to_string(i)).c_str(), H5P_DEFAULT,
                          H5P_DEFAULT));
    }
  });
}

void attribute_bomb(const std::string& path, const std::string&) {
  make_file(
      path,
      [](hid_t file) {
        const hid_t type = H5Tcopy(H5T_C_S1);
        const hid_t space = made(H5Screate(H5S_SCALAR));
        for (int i = 0; i < 5000; ++i) {
          H5Aclose(made(H5Acreate2(file, ("bad" + std::to_string(i)).c_str(), type, space,
                                   H5P_DEFAULT, H5P_DEFAULT)));
        }
        H5Sclose(space);
        H5Tclose(type);
      },
      H5F_LIBVER_V110);
}

void attribute_of_variable_length(const std::string& path, const std::string&) {
  make_file(path, [](hid_t file) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    made(H5Tset_size(type, H5T_VARIABLE));
    const hid_t space = made(H5Screate(H5S_SCALAR));
    const hid_t id = made(H5Acreate2(file, "bad", type, space, H5P_DEFAULT, H5P_DEFAULT));
    const char* text = "text";
    made(H5Awrite(id, type, &text));
    H5Aclose(id);
    H5Sclose(space);
    H5Tclose(type);
  });
}

void polyglot(const std::string& path, const std::string&) {
  make_file(path, [](hid_t) {});
  std::ofstream(path, std::ios::binary | std::ios::app) << "PK\3\4 and so on";
}

void cut(const std::string& path, const std::string&) {
  make_file(path, [](hid_t) {});
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
}

void left_open(const std::string& path, const std::string&) {
  const hid_t access = made(H5Pcreate(H5P_FILE_ACCESS));
  made(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110));
  const std::string whole = path + ".whole";
  const hid_t file = made(H5Fcreate(whole.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access));
  add_dataset(file, "good", H5T_STD_U8LE, {2});
  made(H5Fflush(file, H5F_SCOPE_GLOBAL));
  std::filesystem::copy_file(whole, path, std::filesystem::copy_options::overwrite_existing);
  H5Fclose(file);
  H5Pclose(access);
  std::filesystem::remove(whole);
}

void fifo(const std::string& path, const std::string&) {
  if (::mkfifo(path.c_str(), 0600) != 0) made(-1);
}

void folder(const std::string& path, const std::string&) {
  std::filesystem::create_directory(path);
}

void endless_device(const std::string& path, const std::string&) {
  std::filesystem::create_symlink("/dev/zero", path);
}

void empty(const std::string& path, const std::string&) { std::ofstream(path).flush(); }

void signature_alone(const std::string& path, const std::string&) {
  std::ofstream(path, std::ios::binary) << "\x89HDF\r\n\x1a\n";
}

}  // namespace

void make_secrets(const std::string& secret) {
  std::ofstream(secret + ".bin", std::ios::binary) << kSecret;
  const hid_t file =
      made(H5Fcreate((secret + ".h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  add_dataset(file, "w", H5T_STD_U8LE, {kSecretBytes}, {}, kSecret);
  made(H5Fclose(file));
}

const std::vector<HostileFile>& hostile_files() {
  using enum Outcome;
  static const std::vector<HostileFile> files{
      {"ExternalLink", kSkipped, "LOST 'bad' is a link to another file", external_link},
      {"ExternalLinkToFifo", kSkipped, "LOST 'bad' is a link to another file",
       external_link_to_fifo},
      {"SoftLinkOverAnExternalOne", kSkipped, "LOST 'soft' is a soft link to 'bad/w'",
       soft_link_over_external},
      {"SoftLink", kHarmless, "", soft_link},
      {"SoftLinkCycle", kSkipped, "'bad' is a soft link to '/bad', which leads through",
       soft_link_cycle},
      {"SoftLinkOverALongPath", kSkipped, "'g/g' leads back", soft_link_over_long_path},
      {"ManySoftLinksOverLongPaths", kRefused, "more than 65536 names in their paths",
       many_long_soft_links},
      {"HardLinkCycle", kSkipped, "'bad' leads back to group '/'", hard_link_cycle},
      {"GroupsThatMultiply", kRefused, "more than 16384 groups have a second name",
       groups_that_multiply},
      {"LongNamesThatMultiply", kRefused, "67108864 bytes of link paths", long_names_that_multiply},
      {"ExternalRawStorage", kRefused, "'bad': its data is in other files", external_raw},
      {"VirtualDataset", kRefused, "'bad': its data is in other files", virtual_dataset},
      {"UnknownFilter", kRefused, "'bad': packed with HDF5 filter 32042", unknown_filter},
      {"FilterTwice", kRefused, "'bad': packed with 20 filters", filter_twice},
      {"NestedArrays", kSkipped, "LOST 'bad' holds arrays of arrays of ", nested_arrays},
      {"NestedStructures", kSkipped, "LOST 'bad' holds structures with ", nested_structures},
      {"Compound", kSkipped, "LOST 'bad' holds structures with F32", compound},
      {"VariableLength", kSkipped, "LOST 'bad' holds lists of F32", variable_length},
      {"References", kSkipped, "'bad' holds references", references},
      {"CommittedType", kSkipped, "'bad' is not a dataset", committed_type},
      {"WideIntegers", kSkipped, "LOST 'bad' holds integers of 8 bits in 1048576 bytes",
       wide_integers},
      {"ShapeBomb", kRefused, "'bad': 0 bytes stored unpack to 1099511627776", shape_bomb},
      {"ShapeOfExabytes", kRefused, "'bad': shape [2147483648, 536870912]", shape_of_exabytes},
      {"ManyShapeBombs", kRefused, "0 bytes stored unpack to 16777216", many_shape_bombs},
      {"ChunkBomb", kRefused, "unpack to 8 in chunks of 2147483648", chunk_bomb},
      {"DeflateBomb", kRefused, "unpack to 1073741824 in chunks of 1048576", deflate_bomb},
      {"DeepGroups", kRefused, "deeper than 64 groups", deep_groups},
      {"ManyLinks", kHarmless, "", many_links},
      {"ManyNamesOfMuchData", kRefused, "bytes are too many", many_names_of_much_data},
      {"AttributeBomb", kRefused, "more than 4096 attributes", attribute_bomb},
      {"AttributeOfVariableLength", kHarmless, "", attribute_of_variable_length},
      {"Polyglot", kRefused, "bytes long, its superblock says", polyglot},
      {"Cut", kRefused, "cannot open", cut},
      {"LeftOpenByItsWriter", kRefused, "was not closed", left_open},
      {"Fifo", kRefused, "not a regular file", fifo},
      {"Folder", kRefused, "a folder without", folder},
      {"EndlessDevice", kRefused, "not a regular file", endless_device},
      {"Empty", kRefused, "the file is empty", empty},
      {"SignatureAlone", kRefused, "cannot open", signature_alone},
  };
  return files;
}

}  // namespace pqw::test
