// A folder that appears under its name with all its files, or not at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pqw/io/options.h"

namespace pqw {

// Whether an output of that name is a folder: it ends in '/', or is an empty folder.
bool is_output_folder(const std::string& path);

// Files are written into a temporary sibling, `<target>.pqw.tmp`, which `commit` renames. Destroyed
// before that, it removes them, and the target is as it was. The sibling is locked: a second
// writer of the same target is refused. It may be left over from a run that died; then its files
// are removed, and its parts to resume from kept. An existing target passes on its permissions.
class OutputFolder {
 public:
  // Whether a file of an existing target may be removed, by its name.
  using MayRemove = bool(std::string_view name);

  // An existing target that is not empty is replaced if `options` say so and `may_remove` is true of
  // all that it holds. Errors: kExists; kInvalidArgument (it holds something else); kBusy; kNotFound
  // (of the folder around it); kIo.
  OutputFolder(const std::string& path, const WriteOptions& options, MayRemove* may_remove);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Where to write the file of that name before commit, by an AtomicFile.
  std::string path_of(const std::string& name);

  // The target is durable when this returns. Errors: kIo; kExists (another program created it
  // meanwhile); kUnsupported (the file system cannot exchange folders); kUnsynced.
  void commit();

 private:
  void require_replaceable() const;
  void keep_mode() const;
  void rename_to_target();

  std::string path_;       // as given
  std::string target_;     // without symbolic links and without '/' at its end
  std::string temporary_;  // its sibling
  WriteOptions options_;
  MayRemove* may_remove_;
  int fd_ = -1;             // of the sibling, which it locks
  std::vector<int> slots_;  // of what a signal handler must remove
};

}  // namespace pqw
