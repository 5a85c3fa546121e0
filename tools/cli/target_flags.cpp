// The flags of quantize that ask for a size or an error.
#include "cli/target_flags.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cli/usage.h"

namespace pqw::tool {
namespace {

template <class T>
using Choices = std::vector<std::pair<std::string, T>>;

const Choices<Metric> kMetrics = {{"relative", Metric::kRelative}, {"total", Metric::kTotal}};
const Choices<TargetKind> kKinds = {{"size", TargetKind::kSize},
                                    {"bpw", TargetKind::kBitsPerWeight},
                                    {"ratio", TargetKind::kRatio},
                                    {"error", TargetKind::kError}};

template <class T>
const std::string& word_of(const Choices<T>& choices, T value) {
  return std::ranges::find(choices, value, &Choices<T>::value_type::second)->first;
}

// Adds a flag that takes one of some words and needs a target.
template <class T>
void add_choice(CLI::App& verb, std::optional<Target>& target, const char* flag,
                const Choices<T>& choices, T Target::*member, const char* help) {
  Words words;
  for (const auto& choice : choices) words.push_back(choice.first);
  std::string shown;
  for (const std::string& word : words) shown += (shown.empty() ? "" : "|") + word;
  verb.add_option_function<std::string>(
          flag,
          [=, &target](const std::string& word) {
            require_word(flag, word, words);
            if (!target) {
              throw CLI::ValidationError(
                  flag, "needs --target-size, --target-bpw, --target-ratio or --target-error");
            }
            (*target).*member =
                std::ranges::find(choices, word, &Choices<T>::value_type::first)->second;
          },
          help)
      ->type_name(shown);
}

}  // namespace

// The tool calls the functions of options in the order in which they were added.
void add_target_options(CLI::App& verb, std::optional<Target>& target) {
  const auto set = [&target](const char* flag, TargetKind kind, double value) {
    if (target) throw CLI::ValidationError(flag, "only one target may be given");
    if (!(value > 0)) throw CLI::ValidationError(flag, "expected a number above 0");
    target = {kind, value};
  };
  const char* size = "--target-size";
  verb.add_option_function<std::string>(
          size,
          [=](const std::string& text) {
            const auto bytes = blamed_on(size, [&] { return parse_size(text); });
            set(size, TargetKind::kSize, static_cast<double>(bytes));
          },
          "choose the codec of each tensor and its options for the least error of an archive of at "
          "most that size (4MB, 512KiB, 4000000)")
      ->type_name("SIZE");
  const auto add_number = [&](const char* flag, TargetKind kind, const char* help) {
    verb.add_option_function<double>(
            flag, [=](const double& value) { set(flag, kind, value); }, help)
        ->type_name("X")
        ->check(finite_number());
  };
  add_number("--target-bpw", TargetKind::kBitsPerWeight,
             "the same for at most X bits of the archive per weight");
  add_number("--target-ratio", TargetKind::kRatio,
             "the same for an archive at least X times smaller than the tensors");
  add_number("--target-error", TargetKind::kError,
             "the same for the smallest archive whose error by --metric is at most X; if the "
             "measured error is above X or far below it, the tensors are encoded again");
  add_choice(
      verb, target, "--metric", kMetrics, &Target::metric,
      "with a target: relative: the error is the mean of the tensors' relative errors; total: it "
      "is the relative error of all weights together, and tensors with small weights may get "
      "too few bits (default relative)");
}

Json to_json(const Target& target) {
  return {{word_of(kKinds, target.kind), target.value},
          {"metric", word_of(kMetrics, target.metric)}};
}

}  // namespace pqw::tool
