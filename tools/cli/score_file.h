// A file of finished scores, from which an interrupted measurement continues.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace pqw::tool {

// JSON: {"digest": "...", "command": "...", "scores": {"original": 0.99, ...}}. Written as a whole
// after each score.
class ScoreFile {
 public:
  // Reads the file, if it exists. An empty path: scores are not kept. Errors: kFormat (not a file of
  // scores), kIo.
  ScoreFile(std::string path, std::string command);

  // Throws kInvalidArgument if the file has scores of another model, other settings or another command.
  void require(const std::string& digest);

  std::optional<double> find(const std::string& key) const;
  // Errors: those of AtomicFile.
  void add(const std::string& key, double score);

 private:
  std::string path_, command_, digest_;
  bool is_read_ = false;
  std::string digest_read_, command_read_;
  std::map<std::string, double> scores_;
};

}  // namespace pqw::tool
