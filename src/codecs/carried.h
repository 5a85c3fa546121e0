// Keeps tensors whose type archives do not have: the record holds them byte for byte.
//
// The attribute `dtype` of an archive must be a basic type: older readers refuse the whole file for
// any other type. So the record of another type says U8, and its options name the real type:
// "dtype=F4". For a type that pqw does not know, they add the number of bytes:
// "dtype=NEW_TYPE,bytes=48".
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "pqw/core/record.h"

namespace pqw {

inline constexpr char kCarriedCodec[] = "carried";

// How an archive describes a tensor.
struct Description {
  TensorInfo info;      // of a basic type
  std::string options;  // empty if the type of the tensor is basic
};

Description describe_for_archive(const TensorInfo& info);

// The inverse of describe_for_archive. Errors: kCorrupt.
TensorInfo info_from(const Description& description);

// A record of that codec with one section, for the tensor as archives describe it.
Record record_for(const TensorInfo& info, const char* codec, Section section);

// Layout: section `bytes`, U8 [n], the tensor as in its file. `bytes` may be empty if only
// sizes are needed.
Record carried_record(const TensorInfo& info, std::span<const std::byte> bytes);

// The bytes of the tensor. Errors: kUnsupported (features), kCorrupt.
std::span<const std::byte> carried_bytes(const Record& record);

}  // namespace pqw
