// HDF5 files made to harm, and random damage that checksums do not see.
#pragma once

namespace pqw::torture {

// Quantizes each hostile file by the tool, with a planted filter plugin in HDF5's path: 2 s each,
// no byte of another file, no code run.
bool quantize_hostile_files(bool all);

// Reads files of HDF5's oldest format, which has no checksums, with bytes changed at random.
bool read_hdf5_mutants(bool all);

}  // namespace pqw::torture
