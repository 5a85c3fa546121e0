// How outputs are written.
#pragma once

namespace pqw {

struct WriteOptions {
  bool overwrite = false;  // replace an output that exists; else that is an error
};

}  // namespace pqw
