// Sections and parts of a record: finding them by name, and their sizes.
#include "pqw/core/record.h"

namespace pqw {

const Section* Record::find(const std::string& name) const {
  for (const Section& section : sections) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

const Record* Record::find_part(const std::string& name) const {
  for (const Record& part : parts) {
    if (part.info.name == name) return &part;
  }
  return nullptr;
}

std::uint64_t data_bytes(const Record& record) {
  std::uint64_t sum = 0;
  for (const Section& section : record.sections) {
    sum += element_count(section.shape) * size_in_bytes(section.dtype);
  }
  for (const Record& part : record.parts) sum += data_bytes(part);
  return sum;
}

}  // namespace pqw
