// A filter plugin for HDF5 that says so when it is loaded.
#include <hdf5.h>
// The name of the header that declares what a plugin exports.
#include <H5PLextern.h>

#include <cstdio>
#include <cstdlib>

namespace {

std::size_t pass_through(unsigned, std::size_t, const unsigned[], std::size_t n_bytes, std::size_t*,
                         void**) {
  return n_bytes;
}

const H5Z_class2_t kFilter{H5Z_CLASS_T_VERS, 32042,   1,       1,
                           "planted",        nullptr, nullptr, pass_through};

// Runs as soon as somebody opens this library.
[[gnu::constructor]] void leave_a_mark() {
  if (const char* path = std::getenv("PQW_PLANTED_MARK")) {
    if (std::FILE* file = std::fopen(path, "w")) std::fclose(file);
  }
}

}  // namespace

extern "C" {
H5PL_type_t H5PLget_plugin_type() { return H5PL_TYPE_FILTER; }
const void* H5PLget_plugin_info() { return &kFilter; }
}
