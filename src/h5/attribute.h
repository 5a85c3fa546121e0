// HDF5 attributes: scalar texts and 64-bit unsigned numbers.
#pragma once

#include <cstdint>
#include <map>
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

// What an attribute holds if it is a text, of fixed or variable length, or a list of texts (of one
// dimension; an empty list of anything counts).
struct Texts {
  std::vector<std::string> values;  // one if it is not a list
  bool is_list = false;
};

// All attributes of that kind, by their names. Those with more than max_bytes are left out. More
// attributes than max_count are an error.
std::map<std::string, Texts> read_all_texts(Id object, std::size_t max_bytes, std::size_t max_count,
                                            const Subject& subject);

// A text of variable length, and a list of texts: strings of the same length, padded with zero
// bytes. REQUIRES: the object has no attribute of that name; no zero bytes in the texts.
void write_long_text(Id object, const std::string& name, const std::string& text,
                     const Subject& subject);
void write_text_list(Id object, const std::string& name, const std::vector<std::string>& texts,
                     const Subject& subject);

}  // namespace pqw::h5
