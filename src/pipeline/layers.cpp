// Layers made of the tensors of an archive.
#include "pqw/pipeline/layers.h"

#include <utility>

#include "core/subject.h"
#include "pqw/pipeline/source.h"

namespace pqw {
namespace {

// make(weight, bias), whose errors get the names of the tensors.
template <class Make>
auto load_layer(const ArchiveReader& archive, const std::string& weight, const std::string& bias,
                const Make& make) {
  Weight loaded = load_weight(archive, weight);
  std::vector<float> bias_values;
  if (!bias.empty()) bias_values = load_floats(archive, bias);
  try {
    return make(std::move(loaded), std::move(bias_values));
  } catch (const Error& error) {
    const Subject layer = Subject{archive.path()}.in("tensor", weight);
    throw(bias.empty() ? layer : layer.in("bias", bias)).error(error.code(), "{}", error.what());
  }
}

}  // namespace

Linear load_linear(const ArchiveReader& archive, const std::string& weight, const std::string& bias,
                   const ServeOptions& serve) {
  return load_layer(archive, weight, bias, [&](Weight&& w, std::vector<float>&& b) {
    return Linear(std::move(w), std::move(b), serve);
  });
}

Conv1d load_conv1d(const ArchiveReader& archive, const std::string& weight, const std::string& bias,
                   const Conv1dOptions& options, const ServeOptions& serve) {
  return load_layer(archive, weight, bias, [&](Weight&& w, std::vector<float>&& b) {
    return Conv1d(std::move(w), std::move(b), options, serve);
  });
}

Conv2d load_conv2d(const ArchiveReader& archive, const std::string& weight, const std::string& bias,
                   const Conv2dOptions& options, const ServeOptions& serve) {
  return load_layer(archive, weight, bias, [&](Weight&& w, std::vector<float>&& b) {
    return Conv2d(std::move(w), std::move(b), options, serve);
  });
}

Embedding load_embedding(const ArchiveReader& archive, const std::string& weight) {
  return load_layer(archive, weight, "",
                    [](Weight&& w, std::vector<float>&&) { return Embedding(std::move(w)); });
}

}  // namespace pqw
