// The flags of quantize that are settings, made from the tables of options.

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/next_command.h"
#include "cli/usage.h"

namespace pqw::tool {
namespace {

// "fallback.KEY" names all keys of a part.
constexpr std::string_view kOfPart = ".KEY";

// Each key once. If several codecs have it, its help tells each meaning:
// "pq: EM iterations at most (default 20)".
std::vector<SettingHelp> keys_with_flags() {
  std::vector<SettingHelp> keys;
  for (SettingHelp setting : recipe_help()) {
    if (!setting.has_flag) continue;
    if (!setting.codec.empty()) setting.help = setting.codec + ": " + setting.help;
    if (!setting.standard.empty()) setting.help += fmt::format(" (default {})", setting.standard);
    const auto known = std::ranges::find(keys, setting.key, &SettingHelp::key);
    if (known == keys.end()) {
      keys.push_back(setting);
      continue;
    }
    known->help += "\n" + setting.help;
    if (known->values.starts_with(setting.values)) continue;
    const bool more = setting.values.starts_with(known->values);
    known->values = more ? setting.values : known->values + "|" + setting.values;
  }
  return keys;
}

}  // namespace

void add_setting_flags(CLI::App& verb, Settings& settings) {
  for (const SettingHelp& setting : keys_with_flags()) {
    const bool is_part = setting.key.ends_with(kOfPart);
    const std::string key =
        setting.key.substr(0, setting.key.size() - (is_part ? kOfPart.size() : 0));
    const std::string flag = flag_of(key);
    const auto take = [&settings, is_part, key, flag](const std::string& value) {
      if (is_part) {
        const Settings more =
            blamed_on(flag.c_str(), [&] { return under(key, parse_settings(value)); });
        settings.insert(settings.end(), more.begin(), more.end());
        return;
      }
      if (has_key(settings, key)) throw CLI::ArgumentMismatch(flag + ": at most one");
      settings.emplace_back(key, value);
    };
    verb.add_option_function<std::string>(flag, take, setting.help)
        ->trigger_on_parse()  // in the order of the command line: the last of rank and energy
                              // counts
        ->type_name(setting.values);
  }
}

}  // namespace pqw::tool
