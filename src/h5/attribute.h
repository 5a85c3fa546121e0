// HDF5 attributes: scalar texts and 64-bit unsigned numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "h5/handle.h"

namespace pqw::h5 {

// REQUIRES: the object has no attribute of that name. An empty text is stored as one zero byte.
void write_text(Id object, const std::string& name, const std::string& text,
                const Subject& subject);
void write_number(Id object, const std::string& name, std::uint64_t value, const Subject& subject);

bool has_attribute(Id object, const std::string& name, const Subject& subject);

// Read what the functions above write, and refuse, as subject says, every other type or shape and
// texts or lists longer than the limit. Zero bytes at the end of a text are padding.
std::string read_text(Id object, const std::string& name, std::size_t max_bytes,
                      const Subject& subject);
std::uint64_t read_number(Id object, const std::string& name, const Subject& subject);
std::vector<std::uint64_t> read_numbers(Id object, const std::string& name, std::size_t max_count,
                                        const Subject& subject);

// Names of the attributes that read_text can read. More attributes than max_count are an error.
std::vector<std::string> list_texts(Id object, std::size_t max_bytes, std::size_t max_count,
                                    const Subject& subject);

}  // namespace pqw::h5
