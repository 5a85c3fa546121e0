// An archive with tensors of several kinds, opened by the C API and by the C++ library.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "pqw.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/pq.h"
#include "pqw/model/model.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/temp_dir.h"

namespace pqw::test {

inline PqWeight pq_weight(Shape shape) {
  PqWeight weight = random_pq_weight(std::move(shape), 4, 9);
  weight.codebook_dtype = DType::kF32;
  return weight;
}

inline void write_archive(const std::string& path) {
  ArchiveWriter writer(path, {});
  for (const auto& [name, shape] :
       std::vector<std::pair<std::string, Shape>>{{"fc.weight", {20, 12}},
                                                  {"conv1d.weight", {6, 4, 3}},
                                                  {"conv2d.weight", {6, 4, 3, 3}},
                                                  {"conv3d.weight", {6, 4, 1, 2, 3}},
                                                  {"embed", {20, 12}}}) {
    writer.add(to_record(pq_weight(shape), name));
  }
  const std::vector<float> bias = normal_values(20, 9);
  writer.add_plain({"fc.bias", DType::kF32, {20}}, std::as_bytes(std::span(bias)));
  writer.add_plain({"conv.bias", DType::kF32, {6}}, std::as_bytes(std::span(bias).first(6)));
  const std::int64_t steps = 77;
  writer.add_plain({"steps", DType::kI64, {}}, std::as_bytes(std::span(&steps, 1)));
  writer.add_plain({"empty", DType::kF32, {0, 3}}, {});
  writer.commit();
}

class CTest : public testing::Test {
 protected:
  void SetUp() override {
    write_archive(path_);
    ASSERT_EQ(pqw_model_open(path_.c_str(), 0, &model_), PQW_OK) << pqw_last_error();
  }
  void TearDown() override { pqw_model_close(model_); }

  std::size_t index(const char* name) const {
    std::size_t index = 0;
    EXPECT_EQ(pqw_model_find(model_, name, &index), PQW_OK) << pqw_last_error();
    return index;
  }

  const TempDir dir_;
  const std::string path_ = dir_ / "m.h5";
  pqw_model* model_ = nullptr;
};

}  // namespace pqw::test
