// Files of named tensors, read, written, and copied with other values (docs/formats.md lists them).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pqw/core/tensor.h"
#include "pqw/io/options.h"

namespace pqw {

class InputFile;

// Free-form text that a file holds beside its tensors: safetensors' __metadata__, attributes of
// an HDF5 file that is written. .npy and .npz have no place for it.
using Metadata = std::map<std::string, std::string>;

// An item of a file that is not a tensor.
struct Skipped {
  std::string name;
  std::string what;          // "holds text", "is a link to another file"
  bool has_numbers = false;  // leaving it out may lose weights

  bool operator==(const Skipped&) const = default;
};

// "'NAME' holds text", escaped for messages.
std::string to_string(const Skipped& skipped);

// An open file of tensors. Everything its headers say was checked when it was opened, so that
// shapes and sizes can be trusted; the names are those of the file and may hold anything. Safe for
// use from several threads at once.
class WeightReader {
 public:
  virtual ~WeightReader() = default;

  // In the order of the file, with the shapes of the file. Layouts follow from the format, or are
  // inferred from names and shapes.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const Metadata& metadata() const { return metadata_; }

  // Replaces what the file says about the layout of a tensor. Not safe beside other calls.
  // REQUIRES: axes empty or a permutation for its rank.
  void set_layout(std::size_t index, Layout layout) {
    tensors_.at(index).layout = std::move(layout);
  }

  // The items that were left out because they are not tensors. Tell the user about them.
  const std::vector<Skipped>& skipped() const { return skipped_; }

  // The files that it reads, as paths, and their bytes together. A model in several files has more
  // than one.
  const std::vector<std::string>& files() const { return files_; }
  std::uint64_t file_bytes() const { return file_bytes_; }

  // If the file stores the values of several tensors only once: the index of the tensor that has
  // them. Else the index itself.
  virtual std::size_t stored_as(std::size_t index) const {
    return stored_as_.empty() ? index : stored_as_.at(index);
  }

  // The bytes of tensors()[index], row-major and little-endian. Reading one at a time keeps one
  // tensor in memory. Errors: kIo (also too little memory, and a file that was changed since it was
  // opened), kFormat (content that contradicts its checksum).
  virtual std::vector<std::byte> read(std::size_t index) const = 0;

 protected:
  std::vector<TensorInfo> tensors_;
  std::vector<std::size_t> stored_as_;  // empty: every tensor has its own values
  Metadata metadata_;
  std::vector<Skipped> skipped_;
  std::vector<std::string> files_;  // set by readers of several files, by open_content for others
  std::uint64_t file_bytes_ = 0;

 private:
  friend std::unique_ptr<WeightReader> open_content(InputFile file, const ReadOptions& options);
};

// The formats that open_weights reads, for people: "safetensors, .npy, ... or HDF5".
std::string readable_formats();

// The extensions that create_weights knows: ".safetensors", ...
std::vector<std::string> writable_extensions();

// Opens a file by its content, whatever its name. The tensor of a .npy file is called "arr_0".
// An index of a model in several files (model.safetensors.index.json) gives the tensors of all of
// them. A folder gives the tensors of the index in it, or of its .safetensors files. "-" is the
// standard input.
// Files packed by gzip or zstd are unpacked into a temporary file without a name, in the folder
// that the variable TMPDIR names, or /tmp; so is a pipe.
// Errors: kNotFound, kIo, kFormat (broken, or of an unknown format), kUnsupported (weight formats
// that are recognised, but not read, for example TensorFlow Lite).
std::unique_ptr<WeightReader> open_weights(const std::string& path,
                                           const ReadOptions& options = {});

// Writes a file of tensors, which appears under its name on commit (io/atomic_file.h).
class WeightWriter {
 public:
  virtual ~WeightWriter() = default;

  // The bytes of the next tensor of the list given to create_weights, row-major, little-endian.
  // Errors: kInvalidArgument (not the size of that tensor, or one tensor too many), kIo.
  virtual void add(std::span<const std::byte> bytes) = 0;

  // Call it instead of add if the next tensor equals the tensor with index `added`, which was added
  // before. Returns false and does nothing if the format cannot express this.
  // REQUIRES: equal types and shapes. Errors: kInvalidArgument (no tensor `added`), kIo.
  virtual bool add_name_of(std::size_t added) {
    (void)added;
    return false;
  }

  // Called once, at the end. Errors: kInvalidArgument (tensors are missing), kIo, kExists.
  virtual void commit() = 0;
};

// Creates a file whose format follows from the extension in any case: .safetensors, .npy (one
// tensor, whose name is dropped), .npz, .h5 or .hdf5. "-" is the standard output, which gets
// safetensors on commit, or nothing. The order of `tensors` is the order of the add calls and of
// the file, except that safetensors files start with the tensors of large elements when some tensor
// would not be aligned otherwise. Metadata is dropped by .npy and .npz. The same input gives the
// same bytes.
// Errors: kExists, kIo, kInvalidArgument (unknown extension, a name given twice), kUnsupported (the
// format cannot hold these tensors or this metadata; the message names the tensor).
std::unique_ptr<WeightWriter> create_weights(const std::string& path,
                                             std::vector<TensorInfo> tensors,
                                             const Metadata& metadata = {},
                                             const WriteOptions& options = {});

// The formats that create_copy reads, for people.
std::string template_formats();

struct CopyWriter {
  std::unique_ptr<WeightWriter> writer;
  std::vector<std::string> kept;  // tensors of the original that keep their values
};

// Creates a copy of the weight file `original` in which `tensors` get new values, in the order of
// the add calls. Everything else is as in the original, byte for byte. The extension of `path` is
// one that the original may have.
// Errors: those of open_weights; kExists, kIo; kUnsupported (a format without templates);
// kInvalidArgument (a tensor that the original does not have, has with another type or shape, or
// that is given twice; an extension that does not fit; output and original are the same file).
CopyWriter create_copy(const std::string& original, const std::string& path,
                       std::vector<TensorInfo> tensors, const ReadOptions& reading = {},
                       const WriteOptions& options = {});

}  // namespace pqw
