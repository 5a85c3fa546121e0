// A file of finished scores.
#include "cli/score_file.h"

#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <utility>

#include "cli/json.h"
#include "pqw/core/error.h"
#include "pqw/io/atomic_file.h"

namespace pqw::tool {

ScoreFile::ScoreFile(std::string path, std::string command)
    : path_(std::move(path)), command_(std::move(command)) {
  if (path_.empty() || !std::filesystem::exists(path_)) return;
  if (!std::filesystem::is_regular_file(path_)) {
    throw Error(ErrorCode::kIo, path_ + ": is not a regular file");
  }
  std::ifstream file(path_, std::ios::binary);
  const std::string text = (std::ostringstream() << file.rdbuf()).str();
  if (!file) throw Error(ErrorCode::kIo, path_ + ": cannot read it");
  try {
    const Json json = Json::parse(text);
    digest_read_ = json.at("digest").get<std::string>();
    command_read_ = json.at("command").get<std::string>();
    scores_ = json.at("scores").get<std::map<std::string, double>>();
    is_read_ = true;
  } catch (const Json::exception&) {
    throw Error(ErrorCode::kFormat,
                path_ + ": is not a file of scores that --resume wrote; remove it or name another");
  }
}

void ScoreFile::require(const std::string& digest) {
  digest_ = digest;
  if (!is_read_ || (digest_read_ == digest && command_read_ == command_)) return;
  const char* const what =
      digest_read_ == digest ? "of another command" : "of another model, settings or version";
  throw Error(ErrorCode::kInvalidArgument,
              path_ + ": its scores are " + what + "; remove it or name another file");
}

std::optional<double> ScoreFile::find(const std::string& key) const {
  const auto found = scores_.find(key);
  return found == scores_.end() ? std::nullopt : std::optional(found->second);
}

void ScoreFile::add(const std::string& key, double score) {
  if (path_.empty() || !scores_.emplace(key, score).second) return;
  const Json json = {{"digest", digest_}, {"command", command_}, {"scores", scores_}};
  const std::string text = json.dump(1) + "\n";
  AtomicFile file(path_, {.overwrite = true});
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace pqw::tool
