// Layers made of the tensors of an archive.
#pragma once

#include <string>

#include "pqw/archive/archive.h"
#include "pqw/serve/conv1d.h"
#include "pqw/serve/conv2d.h"
#include "pqw/serve/embedding.h"
#include "pqw/serve/linear.h"

namespace pqw {

// The weight is computed with as it is stored, compressed or plain; an empty name of the bias means
// none. What the layer is made of is read at once: the archive is not needed afterwards.
// Errors, naming the archive and the tensor: kNotFound, kInvalidArgument when shape or type do not
// make such a layer, and those of ArchiveReader.
Linear load_linear(const ArchiveReader& archive, const std::string& weight,
                   const std::string& bias = "", const ServeOptions& serve = {});
Conv1d load_conv1d(const ArchiveReader& archive, const std::string& weight,
                   const std::string& bias = "", const Conv1dOptions& options = {},
                   const ServeOptions& serve = {});
Conv2d load_conv2d(const ArchiveReader& archive, const std::string& weight,
                   const std::string& bias = "", const Conv2dOptions& options = {},
                   const ServeOptions& serve = {});
Embedding load_embedding(const ArchiveReader& archive, const std::string& weight);

}  // namespace pqw
