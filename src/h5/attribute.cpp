// HDF5 attributes: scalar texts and 64-bit unsigned numbers.
#include "h5/attribute.h"

#include <hdf5.h>

#include <algorithm>
#include <exception>
#include <optional>

#include "h5/types.h"

namespace pqw::h5 {
namespace {

Handle creation_list(const Subject& subject) {
  Handle list = own(H5Pcreate(H5P_ATTRIBUTE_CREATE), H5Pclose, subject, "create a property list");
  check(H5Pset_char_encoding(list.id(), H5T_CSET_UTF8), subject, "set the encoding of names");
  return list;
}

void write(Id object, const std::string& name, Id type, Id space, const void* data,
           const Subject& subject) {
  const Handle list = creation_list(subject);
  Handle attribute = own(H5Acreate2(object, name.c_str(), type, space, list.id(), H5P_DEFAULT),
                         H5Aclose, subject, "create an attribute");
  check(H5Awrite(attribute.id(), type, data), subject, "write an attribute");
  attribute.close(subject);
}

struct Attribute {
  Handle handle;
  Handle type;
  Handle space;
};

Attribute open(Id object, const std::string& name, const Subject& subject) {
  Attribute result;
  result.handle =
      own(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, subject, "open an attribute");
  result.type = own(H5Aget_type(result.handle.id()), H5Tclose, subject, "open a type");
  result.space = own(H5Aget_space(result.handle.id()), H5Sclose, subject, "open a dataspace");
  return result;
}

bool is_scalar(const Attribute& attribute) {
  return H5Sget_simple_extent_type(attribute.space.id()) == H5S_SCALAR;
}

bool is_text(const Attribute& attribute, std::size_t max_bytes) {
  const Id type = attribute.type.id();
  if (!is_scalar(attribute) || H5Tget_class(type) != H5T_STRING) return false;
  if (H5Tis_variable_str(type) != 0) return false;
  const std::size_t bytes = H5Tget_size(type);
  return bytes > 0 && bytes <= max_bytes;
}

bool is_u64(const Attribute& attribute, const Subject& subject) {
  const auto found = dtype_of(attribute.type.id(), subject);
  return found && found->dtype == DType::kU64 && !found->big_endian;
}

Error mismatch(const Subject& subject, const std::string& name, const std::string& expected) {
  return subject.error("attribute '{}' is not {}", shown(name), expected);
}

// Texts of variable length, which HDF5 allocates.
std::vector<std::string> read_variable(const Attribute& attribute, std::size_t count,
                                       std::size_t max_bytes, const Subject& subject) {
  std::vector<char*> pointers(count, nullptr);
  check(H5Aread(attribute.handle.id(), attribute.type.id(), pointers.data()), subject,
        "read an attribute");
  std::vector<std::string> texts;
  std::exception_ptr failure;
  try {
    std::size_t n_bytes = 0;
    for (const char* pointer : pointers) {
      texts.emplace_back(pointer == nullptr ? "" : pointer);
      n_bytes += texts.back().size();
      if (n_bytes > max_bytes) texts.clear();
      if (n_bytes > max_bytes) break;
    }
  } catch (...) {
    failure = std::current_exception();
  }
  H5Dvlen_reclaim(attribute.type.id(), attribute.space.id(), H5P_DEFAULT, pointers.data());
  if (failure) std::rethrow_exception(failure);
  return texts;
}

std::vector<std::string> read_fixed(const Attribute& attribute, std::size_t count,
                                    const Subject& subject) {
  const std::size_t width = H5Tget_size(attribute.type.id());
  std::string all(count * width, '\0');
  check(H5Aread(attribute.handle.id(), attribute.type.id(), all.data()), subject,
        "read an attribute");
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string text = all.substr(i * width, width);
    texts.push_back(text.substr(0, text.find_last_not_of('\0') + 1));
  }
  return texts;
}

// Empty if the attribute is no text, or too long.
std::optional<Texts> texts_of(const Attribute& attribute, std::size_t max_bytes,
                              const Subject& subject) {
  const Id type = attribute.type.id(), space = attribute.space.id();
  const bool is_list = H5Sget_simple_extent_type(space) == H5S_SIMPLE;
  if (!is_list && !is_scalar(attribute)) return std::nullopt;
  if (is_list && H5Sget_simple_extent_ndims(space) != 1) return std::nullopt;
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (count == 0) return Texts{{}, true};
  if (H5Tget_class(type) != H5T_STRING || count < 0) return std::nullopt;
  const bool is_variable = H5Tis_variable_str(type) > 0;
  const auto n = static_cast<std::size_t>(count);
  const std::size_t width = is_variable ? sizeof(char*) : H5Tget_size(type);
  if (width == 0 || n > max_bytes / width) return std::nullopt;
  Texts texts{is_variable ? read_variable(attribute, n, max_bytes, subject)
                          : read_fixed(attribute, n, subject),
              is_list};
  if (texts.values.size() != n) return std::nullopt;
  return texts;
}

struct NameListing {
  std::vector<std::string> names;
  std::exception_ptr failure;  // nothing may be thrown through HDF5
};

herr_t append_name(hid_t, const char* name, const H5A_info_t*, void* data) {
  auto& listing = *static_cast<NameListing*>(data);
  try {
    listing.names.emplace_back(name);
    return 0;
  } catch (...) {
    listing.failure = std::current_exception();
    return 1;
  }
}

}  // namespace

void write_text(Id object, const std::string& name, const std::string& text,
                const Subject& subject) {
  const std::size_t bytes = text.empty() ? 1 : text.size();  // HDF5 has no empty strings
  const Handle type = text_type(bytes, subject);
  const Handle space = create_space({}, subject);
  write(object, name, type.id(), space.id(), text.c_str(), subject);
}

void write_number(Id object, const std::string& name, std::uint64_t value, const Subject& subject) {
  const Handle space = create_space({}, subject);
  write(object, name, type_of(DType::kU64), space.id(), &value, subject);
}

bool has_attribute(Id object, const std::string& name, const Subject& subject) {
  const htri_t result = H5Aexists(object, name.c_str());
  check(result, subject, "look for an attribute");
  return result > 0;
}

std::string read_text(Id object, const std::string& name, std::size_t max_bytes,
                      const Subject& subject) {
  const Attribute attribute = open(object, name, subject);
  if (!is_text(attribute, max_bytes)) {
    throw mismatch(subject, name,
                   "a fixed-length text of at most " + std::to_string(max_bytes) + " bytes");
  }
  std::string text(H5Tget_size(attribute.type.id()), '\0');
  check(H5Aread(attribute.handle.id(), attribute.type.id(), text.data()), subject,
        "read an attribute");
  const std::size_t last = text.find_last_not_of('\0');
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text;
}

std::uint64_t read_number(Id object, const std::string& name, const Subject& subject) {
  const Attribute attribute = open(object, name, subject);
  if (!is_scalar(attribute) || !is_u64(attribute, subject)) {
    throw mismatch(subject, name, "one 64-bit unsigned number");
  }
  std::uint64_t value = 0;
  check(H5Aread(attribute.handle.id(), type_of(DType::kU64), &value), subject, "read an attribute");
  return value;
}

std::vector<std::uint64_t> read_numbers(Id object, const std::string& name, std::size_t max_count,
                                        const Subject& subject) {
  const Attribute attribute = open(object, name, subject);
  const Id space = attribute.space.id();
  hsize_t count = 0;
  const bool is_list = H5Sget_simple_extent_type(space) == H5S_SIMPLE &&
                       H5Sget_simple_extent_ndims(space) == 1 &&
                       H5Sget_simple_extent_dims(space, &count, nullptr) == 1;
  if (!is_list || count > max_count || !is_u64(attribute, subject)) {
    throw mismatch(subject, name,
                   "a list of at most " + std::to_string(max_count) + " 64-bit unsigned numbers");
  }
  std::vector<std::uint64_t> values(count);
  if (count > 0) {
    check(H5Aread(attribute.handle.id(), type_of(DType::kU64), values.data()), subject,
          "read an attribute");
  }
  return values;
}

std::map<std::string, Texts> read_all_texts(Id object, std::size_t max_bytes, std::size_t max_count,
                                            const Subject& subject) {
  H5O_info_t info;
  check(H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS), subject, "count attributes");
  if (info.num_attrs > max_count) throw subject.error("more than {} attributes", max_count);
  NameListing listing;
  const herr_t status =
      H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, append_name, &listing);
  if (listing.failure) std::rethrow_exception(listing.failure);
  check(status, subject, "list attributes");
  std::map<std::string, Texts> all;
  for (const std::string& name : listing.names) {
    auto texts = texts_of(open(object, name, subject), max_bytes, subject);
    if (texts) all.emplace(name, *std::move(texts));
  }
  return all;
}

void write_long_text(Id object, const std::string& name, const std::string& text,
                     const Subject& subject) {
  const Handle type = text_type(H5T_VARIABLE, subject);
  const Handle space = create_space({}, subject);
  const char* const pointer = text.c_str();
  write(object, name, type.id(), space.id(), &pointer, subject);
}

void write_text_list(Id object, const std::string& name, const std::vector<std::string>& texts,
                     const Subject& subject) {
  std::size_t width = 1;
  for (const std::string& text : texts) width = std::max(width, text.size());
  std::string all;
  for (const std::string& text : texts) all += text + std::string(width - text.size(), '\0');
  const Handle type = text_type(width, subject);
  const Handle space = create_space(std::vector{texts.size()}, subject);
  write(object, name, type.id(), space.id(), all.data(), subject);
}

}  // namespace pqw::h5
