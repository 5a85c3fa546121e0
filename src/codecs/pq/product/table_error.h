// How exact the integer tables of a weight are.
#pragma once

#include "codecs/pq/product/direct_product.h"
#include "codecs/pq/product/lookup_product.h"

namespace pqw {

// ‖y' - y‖ / ‖y‖ of the products through integer tables and with floats, on a few rows of normal
// x and up to a few hundred rows of W; infinity when the tables cannot hold such x.
double table_error(const LookupProduct& integers, const DirectProduct& floats, MatrixShape matrix);

}  // namespace pqw
