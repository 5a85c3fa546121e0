// Finished tensors of a run, kept beside its output so that an interrupted run can go on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compress/process.h"
#include "io/different_files.h"
#include "pqw/io/options.h"

namespace pqw {

// The folder `<output>.pqw.parts`. Each part is an archive of tensors that were finished together,
// under the name of its key; it is complete or absent. REQUIRES: the user of the folder holds the
// lock on the output.
class Checkpoint {
 public:
  explicit Checkpoint(const std::string& output, const ReadOptions& options = {})
      : folder_(output + kPartsSuffix), options_(options) {}

  const std::string& folder() const { return folder_; }

  // Throws kIo if something else than a folder has its name; a symbolic link is something else.
  void require_folder() const;

  // Errors: kIo.
  void save(const std::string& key, std::span<const StoredTensor> tensors) const;

  // Empty if the part does not exist or is damaged.
  std::optional<std::vector<StoredTensor>> load(const std::string& key) const;

  // Removes all parts, and the folder unless it holds other files. Does not follow a symbolic link.
  void remove() const;

 private:
  std::string path_of(const std::string& key) const;

  std::string folder_;
  ReadOptions options_;
};

// Who encodes: other versions and other kernels may give other bits.
struct Encoder {
  std::string version;
  std::string kernels;
};

Encoder this_encoder();

// What the encoded tensors of some items depend on, as a digest: version and kernels of this
// program, indices, names, types, shapes, settings with their seeds, and bytes.
class PartKey {
 public:
  explicit PartKey(const Encoder& encoder = this_encoder());
  void add(const WorkItem& item, std::span<Source> sources);
  void add(const InputStatistics& inputs);
  std::string finish();

 private:
  void add(const std::string& text);

  archive::Sha256 sum_;
};

}  // namespace pqw
