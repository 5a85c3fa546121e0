// Files as Keras lays them out, written by HDF5's own functions.
#pragma once

#include <hdf5.h>

#include <string>
#include <vector>

#include "h5/handle.h"
#include "pqw/core/tensor.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw::test {

struct KerasDataset {
  std::string path;
  std::vector<hsize_t> shape;
  hid_t type = H5T_IEEE_F32LE;  // of the file; values are floats 0, 1, 2, ... plus `first`
  float first = 0;
  std::vector<hsize_t> chunk = {};  // empty: contiguous
  bool deflated = false;
};

class KerasFile {
 public:
  explicit KerasFile(const std::string& path) {
    h5::initialize();
    file_ = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  }
  ~KerasFile() { H5Fclose(file_); }

  // As h5py writes Python's bytes: of variable length, ASCII.
  void text(const std::string& group, const char* name, const std::string& value) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    const hid_t space = H5Screate(H5S_SCALAR);
    const char* const pointer = value.c_str();
    write(group, name, type, space, &pointer);
  }

  // As numpy's arrays of bytes: of fixed length, ASCII.
  void texts(const std::string& group, const char* name, const std::vector<std::string>& values) {
    std::size_t width = 1;
    for (const std::string& value : values) width = std::max(width, value.size());
    std::string all;
    for (const std::string& value : values) all += value + std::string(width - value.size(), '\0');
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    const hsize_t count = values.size();
    write(group, name, type, H5Screate_simple(1, &count, nullptr), all.data());
  }

  // As h5py writes an empty Python list: floats.
  void empty_list(const std::string& group, const char* name) {
    const hsize_t none = 0;
    write(group, name, H5Tcopy(H5T_IEEE_F64LE), H5Screate_simple(1, &none, nullptr), &none);
  }

  void group(const std::string& path) { H5Gclose(open_group(path)); }

  void add(const KerasDataset& dataset) {
    const hid_t links = H5Pcreate(H5P_LINK_CREATE), list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const int rank = static_cast<int>(dataset.shape.size());
    if (!dataset.chunk.empty()) H5Pset_chunk(list, rank, dataset.chunk.data());
    if (dataset.deflated) H5Pset_deflate(list, 1);
    const hid_t space = H5Screate_simple(rank, dataset.shape.data(), nullptr);
    const hid_t id =
        H5Dcreate2(file_, dataset.path.c_str(), dataset.type, space, links, list, H5P_DEFAULT);
    std::vector<float> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = dataset.first + static_cast<float>(i);
    }
    H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(id);
    H5Sclose(space);
    H5Pclose(list);
    H5Pclose(links);
  }

 private:
  hid_t open_group(const std::string& path) {
    if (path.empty()) return H5Gopen2(file_, "/", H5P_DEFAULT);
    if (H5Lexists(file_, path.c_str(), H5P_DEFAULT) > 0) {
      return H5Gopen2(file_, path.c_str(), H5P_DEFAULT);
    }
    return H5Gcreate2(file_, path.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  }

  // Closes type and space.
  void write(const std::string& group, const char* name, hid_t type, hid_t space,
             const void* data) {
    const hid_t id = open_group(group);
    const hid_t attribute = H5Acreate2(id, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, data);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    H5Gclose(id);
  }

  hid_t file_ = -1;
};

// The bytes of a file with the kernels of two layers.
inline std::string keras_weights() {
  const TempDir dir;
  {
    KerasFile file(dir / "w.h5");
    file.add({"layers/first/vars/0", {3, 4, 5}});
    file.add({"layers/dense/vars/0", {6, 4}, H5T_IEEE_F32LE, 1000});
  }
  return content(dir / "w.h5");
}

}  // namespace pqw::test
