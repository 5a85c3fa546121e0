// The header of a .npy file, in and out.
//
// Layout of the file: "\x93NUMPY", u8 major, u8 minor version, the length n of the literal (u16 in
// version 1.0, u32 in 2.0 and 3.0, little-endian), n bytes of a Python dict literal with the keys
// descr, fortran_order and shape, spaces and a newline; the elements.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/subject.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

constexpr std::string_view kNpyMagic = "\x93NUMPY";

// The literal may take 10,000 bytes, which is numpy's own limit for files that are not trusted;
// so a prefix of this many bytes of a file always holds the whole header.
constexpr std::size_t kNpyMaxLiteralBytes = 10'000;
constexpr std::size_t kNpyMaxHeaderBytes = kNpyMaxLiteralBytes + 12;

struct NpyHeader {
  TensorInfo info;
  bool big_endian = false;
  bool fortran_order = false;  // the first index runs fastest
  std::size_t header_bytes = 0;
  std::size_t data_bytes = 0;
};

// `prefix` is the start of a .npy file of `file_bytes` bytes: all of it, or at least
// kNpyMaxHeaderBytes; `name` is that of the tensor. The file must have exactly the size that the
// header implies. If tensors do not have the type of the elements, the result is empty and
// `skipped` gets an entry. Errors: kFormat, kUnsupported (a version).
std::optional<NpyHeader> parse_npy_header(const Subject& subject, const std::string& name,
                                          std::span<const std::byte> prefix, std::size_t file_bytes,
                                          std::vector<Skipped>& skipped);

// The header numpy would write, padded to a multiple of 64 bytes.
// Errors: kUnsupported (an element type or rank that numpy does not have).
std::string format_npy_header(const Subject& subject, const TensorInfo& info);

}  // namespace pqw
