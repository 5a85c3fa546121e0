// The gain: a factor on decoded weights that makes up for their loss of amplitude.
#pragma once

namespace pqw {

// The decoded weights ŵ of a lossy codec are mostly shorter than the weights w: centroids are
// means, and a mean has a smaller norm than the blocks it stands for. So the outputs of a layer
// shrink by the factor <w,ŵ> / ‖w‖² (the amplitude), and the factors of all layers of a deep
// network multiply. kUnbiased restores the amplitude, kEnergy the norm, and kLeastSquares gives the
// smallest error. On any tensor, kUnbiased >= kEnergy >= kLeastSquares.
enum class Gain {
  kUnbiased,  // ‖w‖² / <w,ŵ>: <w,ŵ> becomes ‖w‖²
  kEnergy,    // ‖w‖ / ‖ŵ‖: ‖ŵ‖ becomes ‖w‖
  kLeastSquares,  // <w,ŵ> / ‖ŵ‖²: the least ‖w - ŵ‖; for means this is 1, except for rounding
  kNone,          // 1
};

// Why a gain is smaller than the option asks for.
enum class GainLimit {
  kNone,   // it is not smaller
  kLoss,   // else the relative error would be 1 or more
  kRange,  // else values would be beyond the range of their type
};

// The factor that an encoder multiplied decoded weights with.
struct AppliedGain {
  double factor = 1;  // above 0
  GainLimit limit = GainLimit::kNone;
};

}  // namespace pqw
