// Makes sure that an output is not one of the inputs, and not another output.
#include "io/different_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/subject.h"
#include "io/spool.h"
#include "pqw/io/same_file.h"

namespace pqw {
namespace {

namespace fs = std::filesystem;

// Whether both paths exist and lead to the same file: symbolic links are followed, and hard links
// have the same inode number.
bool is_same(const fs::path& a, const fs::path& b) {
  struct stat of_a, of_b;
  const char* const path_a = a == kStandardStream ? "/dev/stdin" : a.c_str();
  return ::stat(path_a, &of_a) == 0 && ::stat(b.c_str(), &of_b) == 0 &&
         of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

// The path without symbolic links; unchanged if it leads nowhere.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  return error ? path : real;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

// Whether a folder around the path is that folder.
bool is_in(const fs::path& path, const std::string& folder) {
  std::error_code error;
  fs::path around = fs::absolute(path, error);
  while (around.has_relative_path()) {
    around = around.parent_path();
    if (is_same(around, folder)) return true;
  }
  return false;
}

[[noreturn]] void refuse(const std::string& input, const std::string& output,
                         const std::string& how) {
  const std::string name = input == output ? "" : ": " + output;
  throw SameFileError(Subject{input}.error(
      ErrorCode::kInvalidArgument,
      "input and output are the same file{}{}; give the output another name", name, how));
}

// The absolute path, without symbolic links and dots as far as it exists.
fs::path full(const fs::path& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  const fs::path real = fs::weakly_canonical(absolute, error);
  const fs::path found = error ? absolute.lexically_normal() : real;
  return found.has_filename() ? found : found.parent_path();  // "folder/"
}

// Whether writing `output` replaces or removes `other`.
bool writes(const std::string& output, const std::string& other) {
  const fs::path target = full(output), path = full(other);
  const bool is_below =
      std::mismatch(target.begin(), target.end(), path.begin(), path.end()).first == target.end();
  return is_below || path == fs::path(target.string() + kTemporarySuffix) ||
         path.parent_path() == full(output + kPartsSuffix);
}

}  // namespace

void require_different_files(std::span<const std::string> inputs, const std::string& output) {
  if (output.empty()) return;
  std::string target = resolved(output).string();
  while (target.size() > 1 && target.ends_with('/')) target.pop_back();  // of a new folder
  const std::string temporary = target + kTemporarySuffix;
  const std::string parts = output + kPartsSuffix;
  for (const std::string& input : inputs) {
    if (is_same(input, output)) refuse(input, output, "");
    for (const std::string& folder : {output, temporary}) {
      if (is_in(input, folder) || is_in(resolved(input), folder)) {
        refuse(input, output, ", as it is in the folder " + folder + ", which is replaced");
      }
    }
    if (is_same(input, temporary))
      refuse(input, output, ", which is first written to " + temporary);
    // If the input is a link into the folder of parts, the link or its target would be removed.
    if (is_same(folder_of(input), parts) || is_same(folder_of(resolved(input)), parts)) {
      refuse(input, output, ", which replaces its parts in " + parts);
    }
  }
}

void require_different_outputs(const std::string& first, const std::string& second) {
  if (first.empty() || second.empty()) return;
  if (!writes(first, second) && !writes(second, first)) return;
  throw SameFileError(Subject{second}.error(
      ErrorCode::kInvalidArgument,
      "the output {} also uses this path; give the two outputs different names", first));
}

}  // namespace pqw
