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

#include "formats/where.h"
#include "pqw/core/tensor.h"

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
// kNpyMaxHeaderBytes. The file has to have exactly the size that the header asks for.
// Errors: kFormat, kUnsupported (an element type, a version).
NpyHeader parse_npy_header(const InTensor& where, std::span<const std::byte> prefix,
                           std::size_t file_bytes);

// What a .npy file holds if that is text or dates, which are no tensor: "unicode text". Empty for
// every other type. Errors: kFormat and kUnsupported before the type is known.
std::optional<std::string_view> npy_kind_without_numbers(const InTensor& where,
                                                         std::span<const std::byte> prefix);

// The header numpy would write, padded to a multiple of 64 bytes.
// Errors: kUnsupported (an element type or rank that numpy does not have).
std::string format_npy_header(const InTensor& where, const TensorInfo& info);

}  // namespace pqw
