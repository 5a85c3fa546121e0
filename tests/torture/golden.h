// Files to torture: archives of every kind of tensor and storage, and weight files.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pqw::torture {

// Archives that together hold compact and contiguous data, compressed and plain tensors, features,
// options, metadata, empty and scalar tensors. `kind` is below n_golden_archives().
std::size_t n_golden_archives();
void write_golden_archive(std::size_t kind, const std::string& path);

// Everything that a reader gives out, as one digest. Errors: those of ArchiveReader.
std::string read_everything(const std::string& archive);

// Writes a file over `path`, whatever was there; `generation` decides on its content. Formats:
// archive, safetensors, npy, npz, h5.
void write_generation(const std::string& format, const std::string& path, unsigned generation);

}  // namespace pqw::torture
