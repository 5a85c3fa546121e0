// The formats of weight files: one table, which detection, opening, creating and messages follow.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/input_file.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct Format {
  std::string_view name;                // in lists: "HDF5"
  std::string_view file;                // in sentences: "an HDF5 file"
  std::vector<std::string> extensions;  // lower-case; empty if pqw does not write the format

  // Whether a file has the format, by its content. Whether it keeps the rules is left to `open`,
  // which can say what is wrong.
  bool (*detect)(const InputFile& file);
  std::unique_ptr<WeightReader> (*open)(InputFile file, const ReadOptions& options);
  std::unique_ptr<WeightWriter> (*create)(const std::string& path, std::vector<TensorInfo> tensors,
                                          const Metadata& metadata, const WriteOptions& options);
};

// The format of a file, by its content; null if pqw does not read it.
const Format* find_format(const InputFile& file);

// ".npz" for "a/B.NPZ"; empty if there is no extension.
std::string extension_of(const std::string& path);

// The format that the name of an output stands for. Errors: kInvalidArgument.
const Format& format_of_output(const std::string& path);

}  // namespace pqw
