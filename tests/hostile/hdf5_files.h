// HDF5 files made to harm whoever reads them.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace pqw::test {

enum class Outcome {
  kRefused,   // one error
  kSkipped,   // no tensor but 'good' and its other names; the harmful object is named as skipped
  kHarmless,  // read as if nothing was wrong
};

struct HostileFile {
  std::string kind;  // CamelCase
  Outcome outcome;
  std::string message;  // a part of the error or of the line
  void (*make)(const std::string& path, const std::string& secret);
};

inline void PrintTo(const HostileFile& file, std::ostream* out) { *out << file.kind; }

// What no reader may return: the content of the files that `make` points to.
inline constexpr char kSecret[] = "TOP SECRET BYTES OF ANOTHER FILE";

// Writes the files that the hostile ones point to: `secret`.bin holds kSecret, `secret`.h5 has a
// dataset 'w' of it.
void make_secrets(const std::string& secret);

// Most hold a tensor 'good' of two bytes, 1 and 2, beside the harmful object 'bad'.
const std::vector<HostileFile>& hostile_files();

}  // namespace pqw::test
