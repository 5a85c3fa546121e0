// Options of tcq: the table.
#include "codecs/train/fields.h"
#include "codecs/train/gain.h"
#include "pqw/codecs/tcq.h"

namespace pqw {
namespace {

std::string without_step(const TcqOptions& options) {
  return options.step == kStepByBits ? "it is the unit of a step; give one" : "";
}

}  // namespace

const Fields<TcqOptions>& TcqOptions::fields() {
  using O = TcqOptions;
  static const Fields<O> kFields = {
      Field("bits", &O::bits, positive(),
            "bits per weight, all parts of the stored tensor counted; the step follows from them "
            "(below about 3, few networks live without calibration)",
            {.unused = [](const O& o) { return o.step == kStepByBits ? "" : "the step is given"; },
             .written = [](const O& o) { return o.step == kStepByBits; }}),
      Field("step", &O::step, positive().or_none(kStepByBits),
            "distance of neighbouring values, in place of bits: half of it gives about one bit "
            "more"),
      Field("step_unit", &O::step_unit,
            choice<StepUnit>({{"rms", StepUnit::kRms}, {"absolute", StepUnit::kAbsolute}}),
            "the step is a multiple of the root mean square of the weights (rms), or as large in "
            "all tensors (absolute), which gives the least total error",
            {.unused = without_step,
             .written = [](const O& o) { return o.step_unit != StepUnit::kRms; }}),
      Field("lambda", &O::lambda, share_below_1(),
            "rate-distortion optimisation: a bit costs as much as this times step² of squared "
            "error. 0.3 gives the least error for its size, but shortens weak rows and channels, "
            "which kills deep networks at few bits"),
      Field(
          "scales", &O::scales,
          choice<TcqScales>({{"none", TcqScales::kNone}, {"row", TcqScales::kRow}}),
          "none: one step for all rows, which gives the least error; row: the step of each row is "
          "proportional to the root mean square of the row, in rows of at least 8 weights"),
      Field("means", &O::means,
            choice<TcqMeans>(
                {{"auto", TcqMeans::kAuto}, {"on", TcqMeans::kOn}, {"off", TcqMeans::kOff}}),
            "store the mean of each column apart; auto: if that pays",
            {.written = [](const O& o) { return o.means != TcqMeans::kAuto; }}),
      Field("gain", &O::gain, gain_values(),
            "a factor on the step, to keep the amplitude (unbiased), keep the norm (energy), or "
            "make the error least (least_squares)",
            {.written = [](const O& o) { return o.gain != Gain::kUnbiased; }})};
  return kFields;
}

}  // namespace pqw
