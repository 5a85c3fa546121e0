// A weight in any of its representations.
#pragma once

#include <string>

#include "pqw/codecs/int8.h"
#include "pqw/codecs/low_rank.h"
#include "pqw/codecs/plain.h"
#include "pqw/codecs/pq.h"
#include "pqw/codecs/tensorized.h"
#include "pqw/codecs/weight_fwd.h"

namespace pqw {

// "pq", "plain", ...
std::string codec_name(const Weight& weight);

// Dispatch to the function of the same name of the representation.
const Shape& shape_of(const Weight& weight);
void decode_rows(const Weight& weight, std::size_t first, MutableMatrix out);
std::size_t size_in_bits(const Weight& weight);

// How many numbers the representation would hold at full precision: those of the matrix, or of the
// factors that stand for it.
std::size_t parameter_count(const Weight& weight);

// What was chosen, in a few words for tables: "block_size=8,centroids=256".
std::string summary(const Weight& weight);

// What an archive stores. REQUIRES: the weight is not plain, which archives store without a record.
Record to_record(const Weight& weight, const std::string& name);

// The weight of a record, by its codec. Errors: kUnsupported for an unknown codec, and those of
// the codec's own function.
Weight weight_from_record(const Record& record);

}  // namespace pqw
