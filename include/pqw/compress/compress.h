// Compresses whole weight files into archives.
#pragma once

#include <string>

#include "pqw/codecs/encode.h"
#include "pqw/compress/recipe.h"
#include "pqw/io/options.h"
#include "pqw/pipeline/report.h"

namespace pqw {

// Follows the work, one call at a time. on_iteration may come from another thread than the other
// calls, and for several small tensors at once; on_tensor named the first of them. If a call
// throws, the work ends with that exception, and no output is left.
class CompressObserver : public EmObserver {
 public:
  // At the start, and again if all tensors are encoded anew because the error is not the target's.
  virtual void on_start(std::size_t n_tensors, std::size_t n_weights) = 0;
  // Before the tensors, if the recipe has a target: n of m operating points are probed; m may rise.
  virtual void on_search(std::size_t n, std::size_t m) { (void)n, (void)m; }
  virtual void on_tensor(const TensorInfo& info) = 0;
  virtual void on_tensor_done(const TensorReport& report) = 0;
  // The finished tensors are kept in that folder: --resume can continue from them.
  virtual void on_kept(const std::string& folder) { (void)folder; }
  // The finished tensors cannot be kept, and all kept tensors were removed; the work goes on.
  virtual void on_not_kept(const std::string& why) { (void)why; }
};

struct CompressOptions {
  bool overwrite = false;                // an existing output
  CompressObserver* observer = nullptr;  // may be null
  bool resume = false;                   // continue an interrupted run with the same output
  double keep_after_seconds = 60;        // without resume: when the run starts to keep tensors
  ReadOptions reading = {};
};

// Compresses the tensors that the recipe selects and stores all others as they are. Equal tensors
// are stored once. A tensor that would not shrink, or would be lost (its relative error is 1 or
// more, so zeros would be as close), gets its fallback or stays plain; the report says why. Decoded
// weights are finite in their own type. Large tensors are in memory one at a time; small ones are
// encoded side by side; each is read once. Equal input, recipe and seeds give equal bytes.
//
// With `resume`, a run keeps finished tensors in `<output>.pqw.parts` until the output is complete,
// and takes those that an interrupted run kept if input, settings and program are the same; the
// output has the same bytes as without the interruption. Without, it keeps those that it finishes
// after its first minute (keep_after_seconds), if they can be kept.
//
// An output that ends in '/', or is an empty folder, becomes the folder of a model: the archive
// model.h5 in it, and the files beside the input, if that is a folder or an index (configuration,
// tokenizer, ...). It appears complete or not at all.
//
// Errors: those of open_weights, read_floats, encode and ArchiveWriter. kInvalidArgument: a
// malformed pattern or setting; a pattern that matches no tensor and is not optional (the message
// says where it stands); ranks that do not fit a tensor; the input is an archive; or, before any
// work: the output is the input or the recipe file under any name, or has the extension of
// another format. kNotCarried: the input holds numbers that cannot become a tensor, and the recipe
// does not say to skip them. kNotFound: the input holds no tensor.
Report compress(const std::string& input, const std::string& output, const Recipe& recipe,
                const CompressOptions& options = {});

// A dry run: reports the codecs and sizes of compress (`at_most` for entropy-coded pq), and writes
// nothing. Reads the input. Encodes a tensor only if the report depends on it: tcq, joint layers,
// quantized factors, weights near the limits of their type, few iterations (`is_sure` in
// codecs/codec.h). Checks `output` as compress does, unless it is empty. With a target it searches
// once, and tells the observer on_search. compress measures the size or the error after that, and
// may then choose otherwise.
Report plan_compression(const std::string& input, const Recipe& recipe,
                        const std::string& output = "", const ReadOptions& options = {},
                        CompressObserver* observer = nullptr);

// "bias corrected for 3 of 12 weights" (setting correct_bias); empty if no bias was judged.
std::string corrected_biases(const Report& report);

}  // namespace pqw
