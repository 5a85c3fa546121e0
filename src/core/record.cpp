// Sections and parts of a record by name.
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

}  // namespace pqw
