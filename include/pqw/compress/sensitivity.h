// Finds out how much the task of a network depends on each of its tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pqw/codecs/settings.h"
#include "pqw/compress/recipe.h"
#include "pqw/core/tensor.h"
#include "pqw/io/options.h"
#include "pqw/pipeline/report.h"

namespace pqw {

// The score of the model in that file, an absolute path. Called from several threads at once if there
// are several jobs. What it throws ends the work.
using Evaluator = std::function<double(const std::string& path)>;

// A finished run of the evaluator.
struct SensitivityRun {
  std::string what;           // "the original", "codec=tcq,bits=3: tensor 'fc.weight'"
  double score = 0;           // finite
  double harm = 0;            // the loss of score against the original
  bool is_known = false;      // the score is of an earlier run
  std::size_t n = 0;          // finished runs, with this one
  std::size_t most_runs = 0;  // at most so many will be finished
};

// Follows the work, and may keep scores for a later run. One call at a time.
class SensitivityObserver {
 public:
  virtual ~SensitivityObserver() = default;
  // Before anything is evaluated. `digest` tells apart all that scores depend on, but for the
  // evaluator: the tensors, the settings and this version of pqw.
  virtual void on_start(const std::string& digest) { (void)digest; }
  // Before all tensors are compressed with these settings.
  virtual void on_compress(const std::string& settings) { (void)settings; }
  // The score of an earlier run with that key; empty if there is none.
  virtual std::optional<double> known_score(const std::string& key) {
    return (void)key, std::nullopt;
  }
  virtual void on_run(const std::string& key, const SensitivityRun& run) { (void)key, (void)run; }
};

struct SensitivityOptions {
  bool higher_is_better = true;
  // Operating points: settings of all tensors. At least one.
  std::vector<Settings> points = {};
  std::vector<Pattern> include = {}, exclude = {};  // as in a recipe
  // A file of statistics of the inputs of layers (pqw calibrate), by which tensors are compressed, as
  // Recipe::calibration. Empty: none.
  std::string calibration = {};
  std::size_t most_runs = 64;           // without the search for max_loss
  double noise = 0;                     // groups whose harm is at most that are not split
  std::size_t jobs = 1;                 // runs side by side
  std::optional<double> max_loss = {};  // searches for the smallest archive that loses at most that
  std::string recipe = {};              // file to write; empty: none
  bool overwrite_recipe = false;
  std::vector<std::string> other_outputs = {};  // files that the caller writes, to be checked
  SensitivityObserver* observer = nullptr;      // may be null
  ReadOptions reading = {};
};

// At one operating point.
struct TensorAtPoint {
  // Of the weights, compressed without statistics of inputs; 0 if the tensor is not compressed.
  double relative_error = 0;
  double harm = 0;
};

struct TensorSensitivity {
  TensorInfo info;
  std::vector<TensorAtPoint> points = {};  // as SensitivityOptions::points
  double harm = 0;                         // the mean over the points
  double importance = 1;                   // the mean over all tensors is 1
  std::size_t n_measured_with = 1;         // tensors of its group; the harm of 1 is measured alone
  bool has_outputs = false;                // without an evaluator: its harm is the error of outputs
};

// A whole model at an operating point.
struct PointScore {
  std::string settings;
  std::optional<double> score = {};  // empty without an evaluator
  double harm = 0;                   // without an evaluator: the mean over the tensors
};

// The smallest archive that loses at most max_loss.
struct LossTarget {
  double ratio = 0;              // that was asked for
  std::uint64_t file_bytes = 0;  // of the archive
  double score = 0;
  double loss = 0;
};

struct SensitivityReport {
  std::optional<double> score = {};        // of the original; empty without an evaluator
  std::vector<PointScore> points;          // with all tensors compressed
  std::vector<TensorSensitivity> tensors;  // in the order of the file, without plain tensors
  std::vector<Skipped> skipped;
  std::size_t n_runs = 0;
  std::optional<LossTarget> target;
  std::string note;    // why the importances say little; may be empty
  std::string recipe;  // the text that was written to the file, or would be
};

// Compresses the model at each operating point, and evaluates copies of it in which one group of
// tensors has the decoded values and all else is as in the original: in files with templates byte for
// byte (create_copy of formats/weight_file.h). Of a model in a folder, or of an index, the copy is a
// folder, in which files without new values are links; .npy and .npz files are written anew. The harm
// of a group is the loss of score. A group starts as all tensors; the
// group with the most harm per tensor is split next, until most_runs. The tensors of a group share
// its harm in proportion to their squared errors.
//
// The importance of a tensor is its harm per relative error, Σ harm / Σ relative error over the points,
// but at least 1/16 of the mean importance: so the search for a target gives a tensor
// at most about two bits a weight less than an average one. A network whose loss is
// Σ a ‖w - ŵ‖² gets importances in proportion to a ‖w‖².
//
// Without an evaluator nothing is run, and `calibration` is needed: the harm of a tensor is the relative
// error of its outputs for held-out inputs, or of its weights if it has no statistics.
//
// With `calibration`, harms are those of tensors that keep their outputs, and relative errors those of
// tensors that do not, with which the search for a target counts.
//
// The recipe has the importances, for use with a target; with max_loss, it makes the smallest archive
// that loses at most so much (recipe_text of compress/recipe.h). It is found by bisection over the
// ratio, in at most 8 more runs.
//
// Copies and archives are in a temporary folder, beside the recipe or in the folder that the
// variable TMPDIR names, or /tmp. It is removed at the end.
//
// Errors: those of compress, create_copy, create_weights and the evaluator; kUnsupported: a .npz file
// with items that are not tensors. kInvalidArgument: neither an evaluator nor calibration; most_runs
// below 1 + the number of points, no point compresses any tensor, no statistics of a compressed tensor, a score that is not finite, no archive loses at
// most max_loss; the recipe or another output would replace the model.
SensitivityReport measure_sensitivity(const std::string& model, const Evaluator& evaluate,
                                      const SensitivityOptions& options);

}  // namespace pqw
