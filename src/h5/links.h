// The property list of links that this module creates.
#pragma once

#include "h5/handle.h"

namespace pqw::h5 {

// Names are UTF-8.
Handle link_list(const Context& context);

}  // namespace pqw::h5
