// The C API: recipes, compression with progress, and measures of whole files.
#include "pqw/compress/compress.h"

#include <cmath>
#include <string>
#include <utility>

#include "c/arguments.h"
#include "pqw/pipeline/evaluate.h"

struct pqw_recipe {
  pqw::Recipe recipe;
};

namespace {

using namespace pqw;
using namespace pqw::c;

// Tells the progress function of a caller what happens.
class Progress : public CompressObserver {
 public:
  explicit Progress(const pqw_compress_options& options) : options_(options) {}

  void on_start(std::size_t n_tensors, std::size_t) override {
    n_done_ = 0;
    n_total_ = n_tensors;
    tell(PQW_STAGE_START, nullptr);
  }
  void on_search(std::size_t n, std::size_t m) override {
    tell({sizeof(pqw_progress), PQW_STAGE_SEARCH, n, m, nullptr});
  }
  void on_tensor(const TensorInfo& info) override {
    tensor_ = info.name;
    tell(PQW_STAGE_TENSOR, tensor_.c_str());
  }
  void on_iteration(const EmIteration&) override { tell(PQW_STAGE_ITERATION, tensor_.c_str()); }
  void on_tensor_done(const TensorReport& report) override {
    ++n_done_;
    tell(PQW_STAGE_TENSOR_DONE, report.info.name.c_str());
  }

 private:
  void tell(pqw_stage stage, const char* tensor) {
    tell({sizeof(pqw_progress), stage, n_done_, n_total_, tensor});
  }
  void tell(const pqw_progress& progress) {
    if (options_.progress(&progress, options_.user) != 0) throw Cancelled{};
  }

  const pqw_compress_options& options_;
  std::size_t n_done_ = 0;
  std::size_t n_total_ = 0;
  std::string tensor_;
};

void summarize(const Report& report, pqw_summary* summary) {
  const auto distortion = report.distortion();
  write_struct({0, report.tensors.size(), report.original_bytes(), report.file_bytes,
                report.bits_per_weight(), distortion ? distortion->relative_error() : 0.0},
               summary, "PQW_SUMMARY_INIT");
}

TargetKind target_kind(pqw_target target) {
  switch (target) {
    case PQW_TARGET_SIZE:
      return TargetKind::kSize;
    case PQW_TARGET_BITS_PER_WEIGHT:
      return TargetKind::kBitsPerWeight;
    case PQW_TARGET_RATIO:
      return TargetKind::kRatio;
    case PQW_TARGET_ERROR:
      return TargetKind::kError;
    default:
      throw invalid_argument("target {} is not one of pqw_target", static_cast<int>(target));
  }
}

}  // namespace

pqw_status pqw_recipe_create(pqw_recipe** recipe) {
  return guarded([&] {
    require(recipe, "recipe");
    *recipe = new pqw_recipe{};
  });
}

pqw_status pqw_recipe_read(const char* path, pqw_recipe** recipe) {
  return guarded([&] {
    require(path, "path");
    require(recipe, "recipe");
    *recipe = new pqw_recipe{read_recipe(path)};
  });
}

void pqw_recipe_destroy(pqw_recipe* recipe) { delete recipe; }

pqw_status pqw_recipe_set(pqw_recipe* recipe, const char* settings) {
  return guarded([&] {
    require(recipe, "recipe");
    require(settings, "settings");
    const Settings parsed = parse_settings(settings);
    check_settings(parsed);
    recipe->recipe = with_settings(recipe->recipe, parsed);
  });
}

pqw_status pqw_recipe_add_rule(pqw_recipe* recipe, const char* pattern, const char* settings) {
  return guarded([&] {
    require(recipe, "recipe");
    require(pattern, "pattern");
    require(settings, "settings");
    Rule rule{{pattern}, parse_settings(settings)};
    check_pattern(rule.pattern);
    recipe->recipe.rules.push_back(std::move(rule));
  });
}

pqw_status pqw_recipe_include(pqw_recipe* recipe, const char* pattern) {
  return guarded([&] {
    require(recipe, "recipe");
    require(pattern, "pattern");
    check_pattern(pattern);
    recipe->recipe.include.emplace_back(pattern);
  });
}

pqw_status pqw_recipe_exclude(pqw_recipe* recipe, const char* pattern) {
  return guarded([&] {
    require(recipe, "recipe");
    require(pattern, "pattern");
    check_pattern(pattern);
    recipe->recipe.exclude.emplace_back(pattern);
  });
}

pqw_status pqw_recipe_set_target(pqw_recipe* recipe, pqw_target target, double value) {
  return guarded([&] {
    require(recipe, "recipe");
    if (!(value > 0 && value < HUGE_VAL)) {
      throw invalid_argument("the value of a target is {}, expected a number above 0", value);
    }
    recipe->recipe.target = Target{target_kind(target), value};
  });
}

pqw_status pqw_compress(const char* input, const char* output, const pqw_recipe* recipe,
                        const pqw_compress_options* options, pqw_summary* summary) {
  return guarded([&] {
    require(input, "input");
    require(output, "output");
    const auto given = read_struct<pqw_compress_options>(options, PQW_COMPRESS_OPTIONS_INIT,
                                                         "PQW_COMPRESS_OPTIONS_INIT");
    require_flags(given.flags, PQW_TRUSTED | PQW_OVERWRITE | PQW_RESUME);
    if (summary != nullptr) require_struct(summary, "PQW_SUMMARY_INIT");
    Progress progress(given);
    const Report report = compress(input, output, recipe == nullptr ? Recipe{} : recipe->recipe,
                                   {.overwrite = (given.flags & PQW_OVERWRITE) != 0,
                                    .observer = given.progress == nullptr ? nullptr : &progress,
                                    .resume = (given.flags & PQW_RESUME) != 0,
                                    .reading = read_options(given.flags)});
    if (summary != nullptr) summarize(report, summary);
  });
}

pqw_status pqw_evaluate(const char* original, const char* compressed, uint32_t flags,
                        pqw_summary* summary) {
  return guarded([&] {
    require(original, "original");
    require(compressed, "compressed");
    require(summary, "summary");
    require_struct(summary, "PQW_SUMMARY_INIT");
    require_flags(flags, PQW_TRUSTED);
    summarize(evaluate(original, compressed, read_options(flags)), summary);
  });
}

pqw_status pqw_verify(const char* archive, uint32_t flags, size_t* n_tensors) {
  return guarded([&] {
    require(archive, "archive");
    require_flags(flags, PQW_TRUSTED);
    const std::size_t n = verify(archive, read_options(flags));
    if (n_tensors != nullptr) *n_tensors = n;
  });
}
