// Finished tensors of a run, kept beside its output so that an interrupted run can go on.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "io/output_names.h"
#include "pqw/compress/plan.h"
#include "pqw/core/record.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct KeptTensor {
  std::size_t index = 0;     // in the plan
  bool by_fallback = false;  // made with the fallback of its entry
  Record record;
};

// The folder `<output>.pqw.parts`. Each part is an archive of the tensors that were finished
// together, under the name of its key; it is complete or absent. REQUIRES: the user of the folder
// holds the lock on the output.
class KeptTensors {
 public:
  explicit KeptTensors(const std::string& output, const ReadOptions& options = {})
      : folder_(output + kPartsSuffix), options_(options) {}

  const std::string& folder() const { return folder_; }

  // Throws kIo if something else than a folder has its name; a symbolic link is something else.
  void require_folder() const;

  // Errors: kIo.
  void save(const std::string& key, std::span<const KeptTensor> tensors) const;

  // Empty if the part does not exist or is damaged.
  std::vector<KeptTensor> load(const std::string& key) const;

  // Removes all parts, and the folder unless it holds other files. Does not follow a symbolic link.
  void remove() const;

  // Removes all parts; this run keeps no more of them.
  void give_up();
  bool has_given_up() const { return given_up_; }

 private:
  std::string path_of(const std::string& key) const;

  std::string folder_;
  ReadOptions options_;
  bool given_up_ = false;
};

// Who encodes: other versions and other kernels may give other bits.
struct Encoder {
  std::string version;
  std::string kernels;
};

Encoder this_encoder();

// What the encoded tensors of entries first .. first + n - 1 depend on, as a digest: version and
// kernels of this program, names, types, shapes, settings with their seeds, and bytes; for the
// owner of joint layers those of all of them.
std::string key_of_part(const WeightReader& reader, std::span<const PlanEntry> plan,
                        std::size_t first, std::size_t n, const Encoder& encoder = this_encoder());

}  // namespace pqw
