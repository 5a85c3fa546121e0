// Datatypes, dataspaces and link lists of HDF5, for everything that is created.
#include "h5/types.h"

#include <hdf5.h>

#include <array>
#include <cstdint>
#include <vector>

namespace pqw::h5 {
namespace {

const Subject kNowhere{"HDF5", ErrorCode::kIo};

// Types are made once and never closed: they live as long as the process.

// A float of `bits` bits: sign, exponent, mantissa from the highest bit down.
Id make_float(Id base, std::size_t bits, std::size_t exponent_bits, std::size_t bias) {
  const Id type = H5Tcopy(base);
  check(type, kNowhere, "copy a type");
  const std::size_t mantissa_bits = bits - 1 - exponent_bits;
  // The fields have to fit the precision at every step, so they shrink first.
  check(H5Tset_fields(type, bits - 1, mantissa_bits, exponent_bits, 0, mantissa_bits), kNowhere,
        "set the fields of a type");
  check(H5Tset_precision(type, bits), kNowhere, "set the precision of a type");
  check(H5Tset_size(type, bits / 8), kNowhere, "set the size of a type");
  check(H5Tset_ebias(type, bias), kNowhere, "set the bias of a type");
  return type;
}

Id make_bool() {
  const Id type = H5Tenum_create(H5T_STD_I8LE);
  check(type, kNowhere, "create an enumeration");
  signed char value = 0;
  check(H5Tenum_insert(type, "FALSE", &value), kNowhere, "fill an enumeration");
  value = 1;
  check(H5Tenum_insert(type, "TRUE", &value), kNowhere, "fill an enumeration");
  return type;
}

struct Row {
  DType dtype;
  Id little;
  Id big;
};

const std::array<Row, 15>& table() {
  initialize();
  static const Id boolean = make_bool();
  static const Id e4m3 = make_float(H5T_IEEE_F32LE, 8, 4, 7);
  static const Id e5m2 = make_float(H5T_IEEE_F32LE, 8, 5, 15);
  // In the order of the enumeration.
  static const std::array<Row, 15> rows{{
      {DType::kF16, make_float(H5T_IEEE_F32LE, 16, 5, 15), make_float(H5T_IEEE_F32BE, 16, 5, 15)},
      {DType::kBF16, make_float(H5T_IEEE_F32LE, 16, 8, 127),
       make_float(H5T_IEEE_F32BE, 16, 8, 127)},
      {DType::kF32, H5T_IEEE_F32LE, H5T_IEEE_F32BE},
      {DType::kF64, H5T_IEEE_F64LE, H5T_IEEE_F64BE},
      {DType::kF8E4M3, e4m3, e4m3},
      {DType::kF8E5M2, e5m2, e5m2},
      {DType::kI8, H5T_STD_I8LE, H5T_STD_I8BE},
      {DType::kI16, H5T_STD_I16LE, H5T_STD_I16BE},
      {DType::kI32, H5T_STD_I32LE, H5T_STD_I32BE},
      {DType::kI64, H5T_STD_I64LE, H5T_STD_I64BE},
      {DType::kU8, H5T_STD_U8LE, H5T_STD_U8BE},
      {DType::kU16, H5T_STD_U16LE, H5T_STD_U16BE},
      {DType::kU32, H5T_STD_U32LE, H5T_STD_U32BE},
      {DType::kU64, H5T_STD_U64LE, H5T_STD_U64BE},
      {DType::kBool, boolean, boolean},
  }};
  return rows;
}

bool equal(Id a, Id b, const Subject& subject) {
  const htri_t result = H5Tequal(a, b);
  check(result, subject, "compare types");
  return result > 0;
}

void append(std::vector<unsigned char>& out, std::uint64_t value, int n_bytes) {
  for (int i = 0; i < n_bytes; ++i) out.push_back(static_cast<unsigned char>(value >> (8 * i)));
}

}  // namespace

Id type_of(DType dtype) { return table().at(static_cast<std::size_t>(dtype)).little; }

std::optional<FoundType> dtype_of(Id type, const Subject& subject) {
  // The class first: comparing arbitrarily nested types can take for ever.
  const H5T_class_t type_class = H5Tget_class(type);
  if (type_class != H5T_INTEGER && type_class != H5T_FLOAT && type_class != H5T_ENUM) return {};
  if (H5Tget_size(type) > 8) return {};
  for (const Row& row : table()) {
    if (equal(type, row.little, subject)) return FoundType{row.dtype, false};
    if (row.big != row.little && equal(type, row.big, subject)) return FoundType{row.dtype, true};
  }
  return {};
}

Handle text_type(std::size_t bytes, const Subject& subject) {
  initialize();
  Handle type = own(H5Tcopy(H5T_C_S1), H5Tclose, subject, "copy a type");
  check(H5Tset_size(type.id(), bytes), subject, "set the size of a string");
  check(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), subject, "set the padding of a string");
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), subject, "set the encoding of a string");
  return type;
}

Handle link_list(const Subject& subject) {
  initialize();
  Handle list = own(H5Pcreate(H5P_LINK_CREATE), H5Pclose, subject, "create a property list");
  check(H5Pset_char_encoding(list.id(), H5T_CSET_UTF8), subject, "set the encoding of names");
  return list;
}

// H5Screate_simple stores each dimension twice, as size and as maximum. The maximum is optional in
// the file format and costs 8 bytes per dimension, but only a decoded dataspace can be without it.
// Layout (of H5Sencode): message type 1, version 0, size of a size; u32 bytes of the message; the
// message: version 2, rank, flags (no maximum), simple, u64 dimensions; the selection: u32 all (3),
// version 1, unused, length 0.
Handle create_space(std::span<const std::size_t> shape, const Subject& subject) {
  initialize();
  if (shape.empty()) return own(H5Screate(H5S_SCALAR), H5Sclose, subject, "create a dataspace");
  std::vector<unsigned char> encoded = {1, 0, 8};
  append(encoded, 4 + 8 * shape.size(), 4);
  encoded.insert(encoded.end(), {2, static_cast<unsigned char>(shape.size()), 0, 1});
  for (const std::size_t dim : shape) append(encoded, dim, 8);
  for (const unsigned value : {3u, 1u, 0u, 0u}) append(encoded, value, 4);
  return own(H5Sdecode(encoded.data()), H5Sclose, subject, "create a dataspace");
}

}  // namespace pqw::h5
