// Fuzz target: .keras files. The HDF5 file in them is parsed in a child process. An input that is
// not a zip archive is taken as a config.json: inside an archive, the checksum would stop nearly
// all mutated ones.
#include "formats/formats.h"
#include "formats/keras_layouts.h"
#include "tests/fuzz/target.h"

namespace {

// Tensors with the names and ranks of all kinds of layers; nothing is read.
class Layers : public pqw::WeightReader {
 public:
  Layers() {
    for (const char* const path : {"layers/first/vars/0", "layers/first/cell/vars/1",
                                   "first/forward_lstm/kernel:0", "first/output_dense/kernel"}) {
      for (std::size_t rank = 1; rank <= 5; ++rank) {
        tensors_.push_back({path, pqw::DType::kF32, pqw::Shape(rank, 2)});
      }
    }
  }
  std::vector<std::byte> read(std::size_t) const override { return {}; }
};

void set_layouts(const std::string& config) {
  Layers layers;
  pqw::set_keras_layouts(layers, config);
  for (const pqw::TensorInfo& tensor : layers.tensors()) {
    const std::size_t n_axes = tensor.layout.axes.size();
    pqw::fuzz::require(n_axes == 0 || n_axes == tensor.shape.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string content(reinterpret_cast<const char*>(data), size);
  if (content.starts_with("PK")) {
    pqw::fuzz::read_all({data, size}, [](const std::string& path) {
      return pqw::open_keras(pqw::InputFile(path), {});
    });
  } else {
    pqw::fuzz::expect_result_or_error([&] { set_layouts(content); });
  }
  return 0;
}
