// The formats of weight files: one table, which detection, opening, creating and messages follow.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/input_file.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

using DetectFormat = bool(const InputFile& file);
using OpenFormat = std::unique_ptr<WeightReader>(InputFile file, const ReadOptions& options);
using CreateFormat = std::unique_ptr<WeightWriter>(const std::string& path,
                                                   std::vector<TensorInfo> tensors,
                                                   const Metadata& metadata,
                                                   const WriteOptions& options);

// A writer of a copy of `original` in which these tensors get new values, in the order of the add
// calls. Names, types and shapes are those in the original, no tensor twice; everything else is
// copied byte for byte. add_name_of returns false.
using CopyFormat = std::unique_ptr<WeightWriter>(InputFile original, const std::string& path,
                                                 std::vector<TensorInfo> tensors,
                                                 const ReadOptions& reading,
                                                 const WriteOptions& options);

struct Format {
  std::string_view name;                // in lists: "HDF5"
  std::string_view file;                // in sentences: "an HDF5 file"
  std::vector<std::string> extensions;  // lower-case; empty if pqw does not write the format

  // Whether a file has the format, by its content. Whether it keeps the rules is left to `open`,
  // which can say what is wrong.
  DetectFormat* detect;
  OpenFormat* open;
  CreateFormat* create;
  CopyFormat* copy = nullptr;            // null if files of this format cannot be templates
  std::vector<std::string> copied = {};  // extensions of files that only `copy` writes
  bool names_files = false;              // its tensors are in other files, which it names
};

// The format of a file, by its content; null if pqw does not read it.
const Format* find_format(const InputFile& file);

// Opens a file by its content. Errors: those of open_weights.
std::unique_ptr<WeightReader> open_content(InputFile file, const ReadOptions& options);

// ".npz" for "a/B.NPZ"; empty if there is no extension.
std::string extension_of(const std::string& path);

// The format that the name of an output stands for. Errors: kInvalidArgument.
const Format& format_of_output(const std::string& path);

// The checks of create_copy before it writes `path`: `originals` are the tensors of the template,
// `tensors` those that get new values. Returns the names of the others. Errors: kInvalidArgument.
std::vector<std::string> check_template(const std::string& original, const Format& format,
                                        const std::vector<TensorInfo>& originals,
                                        const std::string& path,
                                        const std::vector<TensorInfo>& tensors);

// A file without weights, or a weight file of a format that pqw does not read.
struct Foreign {
  std::string what;       // "a GGUF file"
  std::string next = {};  // advice: what the user can do; may be empty
  ErrorCode code = ErrorCode::kUnsupported;
};

// Describes a file that is of no format that pqw reads, by its content.
Foreign describe_foreign(const InputFile& file);

// safetensors. Detected by a length of some plausible size and the '{' of the JSON. Opened, tensors
// come in the order of their data. Created, the data is in the order of `tensors` if that leaves
// every tensor aligned to its element size, which some readers need (PyTorch's cannot view bytes
// otherwise); if not, tensors of large elements come first.
// Errors: kFormat; kExists, kIo, kUnsupported.
DetectFormat is_safetensors;
OpenFormat open_safetensors;
CreateFormat create_safetensors;
CopyFormat copy_safetensors;

// The index of a model in several files (formats/shard_index.h). The files are opened by their
// content; those named beside the index are read, and no others.
// Errors: those of open_shards (formats/sharded.h).
DetectFormat is_shard_index;
OpenFormat open_shard_index;

// GGUF (formats/gguf_header.h): tensors of F32, F16, BF16, F64 and integers, in the order of the
// header. Metadata are the entries that are texts. Errors: those of read_gguf_header.
DetectFormat is_gguf;
OpenFormat open_gguf;

// The model.json of TensorFlow.js (formats/tfjs_manifest.h) and the files beside it. Quantized
// weights are given as the floats or integers that they stand for; strings are listed in skipped().
// Errors: those of read_tfjs_manifest; kFormat (files that do not fit the weights).
DetectFormat is_tfjs;
OpenFormat open_tfjs;

// numpy's .npy: one tensor, which has no name of its own and gets numpy's default. create_npy drops
// the metadata. Errors: kFormat, kUnsupported (versions); kExists, kIo, kUnsupported (not exactly
// one tensor, an element type).
constexpr const char* kNpyTensorName = "arr_0";
DetectFormat is_npy;
OpenFormat open_npy;
CreateFormat create_npy;

// numpy's .npz: a zip archive that has a .npy member, is empty, or cannot be read. A tensor has the
// name of its member without ".npy"; other members and those of text or dates are listed in
// skipped(). Members are stored or deflated; checksums are verified when a tensor is read.
// Errors: kFormat, kUnsupported (element types, encryption, other compression).
DetectFormat is_npz;
OpenFormat open_npz;

// Members are stored without compression, as numpy's savez does. Until commit they are in a
// temporary file beside the target, so that twice the space is needed for a while. Drops the
// metadata.
// Errors: kExists, kIo, kUnsupported (element types, names that a zip archive cannot hold).
CreateFormat create_npz;

// ONNX models. Tensors are the initializers, the values of Constant nodes and other tensors in
// attributes, of all graphs and in their order; layouts come from the operators that use them.
// Values are in the model or in external files of its folder. skipped() lists tensors of text.
// Metadata are the metadata_props. Numbers in attributes that are not tensors are not listed.
// The copy of a model with external data has its data in OUT.data (onnx_data_file.h).
// Errors: kFormat, kIo, kUnsupported; kNotFound (external files).
DetectFormat is_onnx;
OpenFormat open_onnx;
CopyFormat copy_onnx;

// PyTorch: what torch.save writes, as a zip archive with data.pkl or in the format before PyTorch
// 1.6 (formats/torch.h). Nothing is unpickled. Tensors are views of storages, whose checksums are
// verified before the first is read; equal views have one stored_as. skipped() lists the state of
// optimizers, and with numbers: sparse and quantized tensors, arrays of numpy, tensors in objects.
// Errors: kFormat, kUnsupported (TorchScript, whole modules, encryption).
// In the copy every byte keeps its place; the checksums of storages are new. Tensors that share
// elements must get equal values, or its commit throws kInvalidArgument.
// Errors of copying: as of opening; kUnsupported (a deflated storage).
DetectFormat is_torch;
OpenFormat open_torch;
CopyFormat copy_torch;

// Generic HDF5, also if a user block of 512, 1024, 2048, ... bytes comes before the content.
// Tensors are the datasets of numbers (h5/content.h) that hard links, and soft links within the
// file, reach from the root group. A tensor is listed under every path that leads to it, without
// the leading '/', group by group in the order of names. Both byte orders are read, and chunks
// packed with deflate, shuffle and fletcher32. skipped() lists other datasets (text, compounds,
// references, ...), links that lead nowhere or back to a group that contains them, and links to
// other files. Metadata are the texts in attributes of groups (hdf5_attributes.h). The layouts of
// Keras' files come from the classes of their layers (keras_layouts.h). Errors: kIo,
// kFormat, kUnsupported (a tensor whose data is in other files or packed with another filter).
// Unless the options say that the file is trusted, it is parsed in a process of its own
// (isolate/worker.h): whatever it does to the HDF5 library is an error here.
DetectFormat is_hdf5;
OpenFormat open_hdf5;
std::unique_ptr<WeightReader> open_hdf5_direct(InputFile file);
std::unique_ptr<WeightReader> open_hdf5_isolated(InputFile file);

// Tensors become contiguous datasets, nested in groups at each '/' of the name; add_name_of makes a
// hard link; metadata becomes attributes of groups. Equal calls give equal bytes.
// Errors: kExists, kIo, kUnsupported (types, names or metadata that HDF5 cannot hold; also names
// 'a' and 'a/b' together).
CreateFormat create_hdf5;

// Values are overwritten where they are in the bytes of the original. Errors: also kUnsupported for
// tensors in packed chunks or in object headers.
CopyFormat copy_hdf5;

// Keras' .keras: a zip archive with a member model.weights.h5, which is read as HDF5, and
// config.json, which tells the classes of layers. Deflated weights are unpacked into a temporary
// file without a name. skipped() lists the other members. The members of a copy are stored.
// Errors: also those of .npz.
DetectFormat is_keras_archive;
OpenFormat open_keras;
CopyFormat copy_keras;

}  // namespace pqw
