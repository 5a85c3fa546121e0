// Product-quantized weights laid out by rows, for embeddings.
#pragma once

#include <memory>

#include "pqw/codecs/pq.h"
#include "pqw/codecs/product.h"

namespace pqw {

// The codes of a row side by side, of 1 byte for up to 256 centroids, else of 2.
std::unique_ptr<const Product> make_pq_rows(PqWeight weight);

}  // namespace pqw
