// .npy data: its header, in and out, and the order of its elements.
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

struct NpyLiteral {
  std::string descr;  // empty for a structured type
  bool is_structured = false;
  bool fortran_order = false;
  Shape shape;
};

// Accepts only the texts that numpy writes: a dict of exactly those three keys in any order,
// plain strings, True or False, a tuple of non-negative integers (with the L of Python 2). A
// structured type (descr is a list or a tuple) is skipped. Errors: kFormat.
NpyLiteral parse_npy_literal(const Subject& subject, std::string_view text);

struct NpyDtype {
  DType dtype = DType::kF32;
  bool big_endian = false;
};

// "<f4" and the like; a raw "<V2" or "|V2" is BF16, as the ml_dtypes package writes it. Empty for a
// type that tensors do not have. Errors: kFormat (not a type string).
std::optional<NpyDtype> parse_npy_dtype(const Subject& subject, std::string_view descr);

// Describes an array of a type that tensors do not have: unicode text, complex numbers, ...
// REQUIRES: parse_npy_dtype(descr) is empty.
Skipped describe_npy_dtype(const std::string& name, std::string_view descr);

// The inverse of parse_npy_dtype. Errors: kUnsupported (a type for which numpy has no type string).
std::string_view format_npy_dtype(const Subject& subject, const TensorInfo& info);

// True when the stored bytes are not yet row-major and little-endian.
bool needs_conversion(const NpyHeader& header);

// Throws kIo when there is not enough memory.
std::vector<std::byte> allocate_bytes(const Subject& subject, std::size_t size);

// Copies elements stored with the first index running fastest into row-major order.
// REQUIRES: both hold element_count(shape) elements, which is not 0, and do not overlap.
void fortran_to_row_major(std::span<const std::size_t> shape, std::size_t element_bytes,
                          std::span<const std::byte> from, std::span<std::byte> to);

// The stored bytes, converted as far as needed. REQUIRES: stored.size() == header.data_bytes.
std::vector<std::byte> convert_npy(const Subject& subject, const NpyHeader& header,
                                   std::span<const std::byte> stored);

}  // namespace pqw
