// The bytes of a dataset as HDF5 gives them, without the reader of archives.
#pragma once

#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstddef>
#include <string>
#include <vector>

namespace pqw::test {

inline std::vector<std::byte> stored_bytes(const std::string& path, const std::string& dataset) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t id = H5Dopen2(file, dataset.c_str(), H5P_DEFAULT);
  const hid_t type = H5Dget_type(id);
  const hid_t space = H5Dget_space(id);
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(space));
  std::vector<std::byte> bytes(count * H5Tget_size(type));
  EXPECT_GE(H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), 0) << dataset;
  H5Sclose(space);
  H5Tclose(type);
  H5Dclose(id);
  H5Fclose(file);
  return bytes;
}

}  // namespace pqw::test
