// All that most programs need: compress a file of weights, decode it, serve it.
//
//   pqw::compress("model.safetensors", "model.h5");
//   const pqw::Model model("model.h5");
//   const pqw::Linear fc = model.linear("fc.weight", "fc.bias");
//
// compress() is in the library pqw::compress (training), the rest in pqw::pipeline (runtime).
#pragma once

#include "pqw/compress/compress.h"
#include "pqw/core/error.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
