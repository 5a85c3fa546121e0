// How exact the integer tables of a weight are.
#pragma once

#include "codecs/pq/float_product.h"
#include "codecs/pq/lookup_product.h"

namespace pqw {

// ‖y' - y‖ / ‖y‖ of the products through integer and through float tables, on a few rows of normal
// x and up to a few hundred rows of W; infinity when the tables cannot hold such x.
double table_error(const LookupProduct& integers, const FloatProduct& floats, MatrixShape matrix);

}  // namespace pqw
