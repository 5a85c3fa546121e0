// Whole files as texts.
#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace pqw::test {

// Empty when the file cannot be read.
inline std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return (std::ostringstream() << file.rdbuf()).str();
}

inline void set_content(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace pqw::test
