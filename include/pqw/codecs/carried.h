// Tensors of types that archives do not have: kept byte for byte, in a record.
//
// The attribute `dtype` of an archive is a basic type, as older readers refuse a whole file for any
// other. So a tensor of another type claims to be U8, and its options say what it is: "dtype=F4",
// of an unknown type also how many bytes it has: "dtype=NEW_TYPE,bytes=48".
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "pqw/core/record.h"

namespace pqw {

inline constexpr char kCarriedCodec[] = "carried";

// What an archive says of a tensor.
struct Description {
  TensorInfo info;      // of a basic type
  std::string options;  // empty where the tensor itself is of a basic type
};

Description describe_for_archive(const TensorInfo& info);

// The inverse. Errors: kCorrupt.
TensorInfo info_from(const Description& description);

// Layout: section `bytes`, U8 [n], the tensor as its file has it. Empty `bytes` are enough where
// only sizes count.
Record carried_record(const TensorInfo& info, std::span<const std::byte> bytes);

// The bytes of the tensor. Errors: kUnsupported (features), kCorrupt.
std::span<const std::byte> carried_bytes(const Record& record);

}  // namespace pqw
