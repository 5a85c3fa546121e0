// Sections of a record by name.
#include "pqw/core/record.h"

namespace pqw {

const Section* Record::find(const std::string& name) const {
  for (const Section& section : sections) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

}  // namespace pqw
