// Stores weights as parts of the record of another weight.
#pragma once

#include <string>
#include <vector>

#include "pqw/codecs/weight.h"
#include "pqw/core/record.h"

namespace pqw {

// Adds the record of a weight under a name: as a section if it is plain, else as a part.
void add_part(Record& record, const std::string& name, Record part);

// The shape of the weight of that name. Errors: kCorrupt when there is none.
const Shape& part_shape(const Record& record, const std::string& name);

// The weight of that name. Errors: kCorrupt for another shape or a type that is not a float type,
// and for a plain one with NaN or infinity; those of its codec. All name the tensor and the part.
Weight read_part(const Record& record, const std::string& name, MatrixShape shape);

// The codecs of parts, for summaries: ",factors.codec=int8,..." if all are equal, else
// ",NAME.codec=..." for each; empty if all are plain.
struct PartSummary {
  std::string name;
  std::string codec;
  std::string summary;
};
std::string summary_of_parts(const std::vector<PartSummary>& parts);

}  // namespace pqw
