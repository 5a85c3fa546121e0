// The weights that a run compresses, and the plan for them.
#include "compress/input.h"

#include <span>
#include <utility>
#include <variant>

#include "core/subject.h"
#include "pipeline/checks.h"

namespace pqw {

Input open_input(const std::string& path, const Recipe& recipe, const ReadOptions& options) {
  if (is_archive(path)) {
    throw Subject{archive_file(path)}.error(
        ErrorCode::kInvalidArgument,
        "is a pqw archive already; decode it first, or name the weight file");
  }
  Input input;
  input.reader = open_weights(path, options);
  require_all(path, *input.reader, recipe.skip_unsupported);
  if (!recipe.calibration.empty()) {
    auto statistics = std::make_unique<StatisticsReader>(recipe.calibration, options);
    statistics->require_model(path, input.reader->tensors());
    input.statistics = std::move(statistics);
  }
  input.plan = make_plan(input.reader->tensors(), recipe);
  std::vector<Layout> layouts = layouts_of(input.reader->tensors(), recipe);
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    input.reader->set_layout(i, std::move(layouts[i]));
  }
  input.archive_options.metadata = input.reader->metadata();
  for (const WorkItem& item : input.plan) {
    const bool adopts = std::holds_alternative<AdoptInt8>(item.action);
    for (const std::size_t i : std::span(item.tensors).first(adopts ? 1 : item.tensors.size())) {
      ++input.n_tensors;
      input.n_weights += element_count(input.reader->tensors()[i].shape);
    }
  }
  return input;
}

}  // namespace pqw
