// The command line that a verdict proposes.
#include "cli/next_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace pqw::tool {

std::string quoted_for_shell(const std::string& word) {
  constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=+@%";
  if (!word.empty() && word.find_first_not_of(kSafe) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string flag_of(std::string key) {
  std::ranges::replace(key, '_', '-');
  return "--" + key;
}

std::string next_command(const Verdict& verdict, const Report& report, const std::string& input,
                         const std::string& output, const std::vector<std::string>& flags) {
  constexpr double kLeastError = 1e-6;  // a smaller error needs no halving
  if (verdict.mean_error.value_or(0) < kLeastError) return "";
  if (report.output_error()) return "";  // --target-error excludes --calibration
  std::vector<std::string> words = {"pqw", "quantize", input, "-o", output, "--force"};
  words.insert(words.end(), flags.begin(), flags.end());
  const auto has = [&](const char* codec) {
    return std::ranges::count(report.tensors, codec, &TensorReport::codec) > 0;
  };
  const bool says_use = std::ranges::find(flags, "--for") != flags.end();
  if (!says_use && has("pq") && !has("tcq")) words.insert(words.end(), {"--for", "serving"});
  words.insert(words.end(), {"--target-error", fmt::format("{:.3g}", *verdict.mean_error / 2)});
  std::string command;
  for (const std::string& word : words) {
    if (!command.empty()) command += ' ';
    command += quoted_for_shell(word);
  }
  return command;
}

}  // namespace pqw::tool
