// The flags of quantize that are settings, made from the tables of options.
#include "cli/setting_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cli/usage.h"

namespace pqw::tool {
namespace {

struct Flag {
  std::string key;
  std::string values;
  std::string help;
};

// "fallback.KEY" names all keys of a part.
constexpr std::string_view kOfPart = ".KEY";

std::string name_of(const Flag& flag) {
  const std::size_t end =
      flag.key.ends_with(kOfPart) ? flag.key.size() - kOfPart.size() : flag.key.npos;
  std::string name = "--" + flag.key.substr(0, end);
  std::ranges::replace(name, '_', '-');
  return name;
}

// "pq: EM iterations at most (default 20)"
std::string meaning_of(const SettingHelp& setting) {
  const std::string codec = setting.codec.empty() ? "" : setting.codec + ": ";
  const std::string standard =
      setting.standard.empty() ? "" : fmt::format(" (default {})", setting.standard);
  return codec + setting.help + standard;
}

std::vector<Flag> flags_of(const std::vector<SettingHelp>& settings) {
  std::vector<Flag> flags;
  for (const SettingHelp& setting : settings) {
    if (!setting.has_flag) continue;
    const auto known = std::ranges::find(flags, setting.key, &Flag::key);
    if (known == flags.end()) {
      flags.push_back({setting.key, setting.values, meaning_of(setting)});
      continue;
    }
    known->help += "\n" + meaning_of(setting);
    if (setting.values.starts_with(known->values)) {
      known->values = setting.values;
    } else {
      known->values += "|" + setting.values;
    }
  }
  return flags;
}

void append(Settings& to, const Settings& more) { to.insert(to.end(), more.begin(), more.end()); }

}  // namespace

void add_setting_flags(CLI::App& verb, Settings& settings) {
  for (const Flag& flag : flags_of(recipe_help())) {
    const std::string name = name_of(flag);
    const auto take = [&settings, name, key = flag.key](const std::string& value) {
      if (key.ends_with(kOfPart)) {
        const std::string part = key.substr(0, key.size() - kOfPart.size());
        append(settings,
               blamed_on(name.c_str(), [&] { return under(part, parse_settings(value)); }));
      } else if (has_key(settings, key)) {
        throw CLI::ArgumentMismatch(fmt::format("{}: at most one", name));
      } else {
        settings.emplace_back(key, value);
      }
    };
    verb.add_option_function<std::string>(name, take, flag.help)
        ->trigger_on_parse()  // in the order of the command line: the last of rank and energy
                              // counts
        ->type_name(flag.values);
  }
}

}  // namespace pqw::tool
