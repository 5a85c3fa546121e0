// Files of input statistics: `pqw calibrate` writes them, encoding and `pqw eval` read them.
//
// Layout: an HDF5 file whose root group has the texts `pqw_statistics`, the version 1, and
// `pqw_model`, the SHA-256 digest of the names and shapes of the model's tensors. Each tensor has a
// group 0, 1, ... with the text `name` and these datasets (codecs/input_statistics.h):
//   rows            U64 []
//   means           F64 [cols]
//   second_moments  F64 [cols]
//   held_out        F32 [rows][cols]
//   gram_block      U64 [], 0 without a Gram matrix
//   gram            F32 [elements], absent without a Gram matrix
//   axes            U64 [rank], the layout that orders the columns; absent for [out, in, kernel...]
// Of a convolution in groups, `cols` are the columns of the groups, one group after the other.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/input_statistics.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"
#include "pqw/io/options.h"

namespace pqw {

// Elements of the Gram matrix: of all its blocks. 0 if gram_block is 0.
std::size_t gram_count(std::size_t cols, std::size_t gram_block);

struct TensorStatistics {
  // As in Layout. The columns of the statistics are the columns of the canonical tensor by these axes.
  std::vector<std::size_t> axes = {};
  InputStatistics inputs;
};

// An open file of statistics. Reads one tensor at a time. Safe for use from several threads.
class StatisticsReader {
 public:
  // Errors: those of open_weights; kFormat if the file holds no statistics, or damaged ones;
  // kUnsupported for a later version.
  explicit StatisticsReader(const std::string& path, const ReadOptions& options = {});

  // Throws kInvalidArgument unless the statistics were made for a model with tensors of these names
  // and shapes, as in their file, in any order. `model` names it in the message.
  void require_model(const std::string& model, std::span<const TensorInfo> tensors) const;

  // The tensors that have statistics.
  std::vector<std::string> tensors() const;

  // `info` is a tensor as in its file; its layout may differ from the layout of the statistics. Empty if it
  // has no statistics. Errors: kFormat (damaged, or they do not fit the shape), kIo.
  std::optional<TensorStatistics> read(const TensorInfo& info) const;

  // The same for the layout of `info`. Errors: also kInvalidArgument if the statistics are of
  // another layout.
  std::optional<InputStatistics> inputs_of(const TensorInfo& info) const;

 private:
  std::string path_;
  std::unique_ptr<WeightReader> file_;
  std::string model_;                                 // digest
  std::map<std::string, std::string> groups_;         // by the names of tensors
  std::map<std::string, std::size_t> datasets_ = {};  // indices in file_, by their paths
};

// Sizes of the statistics of a tensor, known before they are collected.
struct StatisticsOutline {
  std::string tensor;
  std::vector<std::size_t> axes = {};
  std::size_t cols = 0;
  std::size_t gram_block = 0;
  std::size_t n_held_out = 0;
};

// Writes a file of statistics, which appears under its name on commit.
class StatisticsWriter {
 public:
  // `model` are the tensors of the model, as in its file. The extension of `path` is .h5 or .hdf5.
  // Errors: those of create_weights; kInvalidArgument for another extension.
  StatisticsWriter(const std::string& path, std::span<const TensorInfo> model,
                   std::span<const StatisticsOutline> outlines, const WriteOptions& options = {});

  // The statistics of the next tensor of the outlines. Errors: kIo. REQUIRES: their sizes.
  void add(const InputStatistics& inputs);

  // Called once, at the end. Errors: kIo, kExists.
  void commit();

 private:
  std::vector<StatisticsOutline> outlines_;
  std::size_t n_added_ = 0;
  std::unique_ptr<WeightWriter> file_;
};

}  // namespace pqw
