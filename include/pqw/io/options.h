// Options of reading and writing files.
#pragma once

namespace pqw {

struct ReadOptions {
  // HDF5 files, archives among them, are parsed in a process of their own, as the HDF5 library is
  // not safe against crafted files (docs/security.md). This costs about 1.5 ms per file and one
  // more copy of each tensor. Set true only for files of known origin.
  bool trusted = false;
};

struct WriteOptions {
  bool overwrite = false;  // replace an output that exists; else that is an error
};

}  // namespace pqw
