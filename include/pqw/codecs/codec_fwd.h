// Declares the names that the headers of codecs need before their definitions.
#pragma once

namespace pqw {

struct Weight;         // weight.h
struct CodecOptions;   // weight.h
struct WeightSize;     // encode_context.h
struct EncodeContext;  // encode_context.h
struct FloatTensor;    // float_tensor.h
struct ServeOptions;   // product.h
class Product;         // product.h

// The table of a codec's options (codecs/train/fields.h): names, ranges and help.
template <class Options>
class Fields;

}  // namespace pqw
