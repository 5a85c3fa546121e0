// Files of tensors for tests: written by hand, read back, and refused with the right message.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw::test {

// Numbers as the little-endian bytes that a file holds.
template <class T>
std::string little_endian(std::initializer_list<T> values) {
  static_assert(std::endian::native == std::endian::little);
  const std::span<const T> all(values.begin(), values.size());
  return {reinterpret_cast<const char*>(all.data()), all.size_bytes()};
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// A file content that has to be refused, and how.
struct BadFile {
  std::string kind;  // CamelCase: the name of the test
  std::string content;
  ErrorCode code;
  std::string message;  // a part of it
};

inline void PrintTo(const BadFile& bad, std::ostream* out) { *out << bad.kind; }

inline std::string kind_of(const testing::TestParamInfo<BadFile>& info) { return info.param.kind; }

// Opens and reads everything; the error of that, which must not be missing.
inline std::optional<Error> error_of_reading(const std::string& path) {
  try {
    const auto reader = open_weights(path);
    for (std::size_t i = 0; i < reader->tensors().size(); ++i) (void)reader->read(i);
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

inline void expect_refused(const BadFile& bad) {
  const TempDir dir;
  const std::string path = dir / "file";
  set_content(path, bad.content);
  const auto error = error_of_reading(path);
  ASSERT_TRUE(error) << "was accepted";
  EXPECT_EQ(error->code(), bad.code) << error->what();
  EXPECT_THAT(error->what(), testing::StartsWith(path + ": "));
  EXPECT_THAT(error->what(), testing::HasSubstr(bad.message));
  EXPECT_THAT(error->what(), testing::Not(testing::HasSubstr("\n")));
}

struct Tensor {
  TensorInfo info;
  std::string bytes;

  bool operator==(const Tensor&) const = default;
};

inline void PrintTo(const Tensor& tensor, std::ostream* out) {
  *out << tensor.info.name << " " << to_string(tensor.info.dtype) << " "
       << to_string(tensor.info.shape) << " " << testing::PrintToString(tensor.bytes);
}

// Without layouts, which have tests of their own.
inline std::vector<Tensor> read_all(const std::string& path) {
  const auto reader = open_weights(path);
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
    tensors.push_back({reader->tensors()[i], text_of(reader->read(i))});
    tensors.back().info.layout = {};
  }
  return tensors;
}

inline void write_all(const std::string& path, const std::vector<Tensor>& tensors,
                      const Metadata& metadata = {}) {
  std::vector<TensorInfo> infos;
  for (const Tensor& tensor : tensors) infos.push_back(tensor.info);
  const auto writer = create_weights(path, infos, metadata);
  for (const Tensor& tensor : tensors) writer->add(bytes_of(tensor.bytes));
  writer->commit();
}

// A tensor whose bytes count 1, 2, 3, ...
inline Tensor counting(const std::string& name, DType dtype, const Shape& shape) {
  Tensor tensor{{name, dtype, shape}, {}};
  tensor.bytes.resize(byte_count(tensor.info));
  for (std::size_t i = 0; i < tensor.bytes.size(); ++i) {
    tensor.bytes[i] = static_cast<char>(dtype == DType::kBool ? i % 2 : i + 1);
  }
  return tensor;
}

// Of the basic types, and of the others.
inline const std::vector<DType> kAllDtypes{DType::kF16,    DType::kBF16,   DType::kF32, DType::kF64,
                                           DType::kF8E4M3, DType::kF8E5M2, DType::kI8,  DType::kI16,
                                           DType::kI32,    DType::kI64,    DType::kU8,  DType::kU16,
                                           DType::kU32,    DType::kU64,    DType::kBool};
inline const std::vector<DType> kOtherDtypes{DType::kF8E8M0, DType::kF4,         DType::kF6E2M3,
                                             DType::kF6E3M2, DType::kF8E4M3Fnuz, DType::kF8E5M2Fnuz,
                                             DType::kC64};

// A line for everything that a file holds beside tensors; "LOST " before those with numbers.
inline std::vector<std::string> skipped_in(const WeightReader& reader) {
  std::vector<std::string> lines;
  for (const Skipped& skipped : reader.skipped()) {
    lines.push_back((skipped.has_numbers ? "LOST " : "") + to_string(skipped));
  }
  return lines;
}

}  // namespace pqw::test
