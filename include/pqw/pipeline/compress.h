// Whole files: weights in, archive out.
#pragma once

#include <string>

#include "pqw/codecs/encode.h"
#include "pqw/pipeline/recipe.h"
#include "pqw/pipeline/report.h"

namespace pqw {

// Follows the work, one call at a time; on_iteration may come from other threads than the rest, and
// for several small tensors at once, of which on_tensor named the first. An exception ends the work
// and passes through; no output is left behind.
class CompressObserver : public EmObserver {
 public:
  virtual void on_start(std::size_t n_tensors, std::size_t n_weights) = 0;
  virtual void on_tensor(const TensorInfo& info) = 0;
  virtual void on_tensor_done(const TensorReport& report) = 0;
  // The tensors done so far are kept in that folder: the run can be resumed.
  virtual void on_kept(const std::string& folder) { (void)folder; }
};

enum class Resume { kNo, kYes };

// Compresses the tensors that the recipe selects and that shrink, stores the others as they are,
// and those that equal another one once. Large tensors are in memory one at a time, small ones are
// encoded side by side. Equal input, recipe and seeds give equal bytes. While there is more to do,
// finished tensors are kept in `<output>.pqw.parts`, which goes when the output is complete. A run
// that is to resume takes those that an interrupted one has kept, where input, settings and program
// are the same; the output is then what it would have been. Errors: those of open_weights,
// make_plan, read_floats, encode and ArchiveWriter; kInvalidArgument when the input is an archive
// already; kNotCarried when it holds numbers that no tensor can be made of and the recipe does not
// say to skip them; kNotFound when it holds no tensor.
Report compress(const std::string& input, const std::string& output, const Recipe& recipe,
                bool overwrite, CompressObserver* observer = nullptr, Resume resume = Resume::kNo);

// What compress would do, without learning and without output: codecs, sizes and the exact size of
// the file. Reads the input.
Report plan_compression(const std::string& input, const Recipe& recipe);

}  // namespace pqw
