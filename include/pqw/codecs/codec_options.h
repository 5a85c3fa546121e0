// Which codec, and how: the options of any codec.
#pragma once

#include <variant>

namespace pqw {

struct PlainOptions;
struct PqOptions;
struct Int8Options;

// One line per codec; those that hold factors hold the options of the factors, which are of this
// type again.
using CodecOptions = std::variant<PlainOptions, PqOptions, Int8Options>;

}  // namespace pqw
