// Reads GGUF files of tensors that are not quantized.
#include <fmt/format.h>

#include <utility>

#include "core/subject.h"
#include "formats/formats.h"
#include "formats/gguf_header.h"

namespace pqw {
namespace {

// Matrices are [out, in]; only embeddings have names that are not those of PyTorch.
bool is_embedding(const TensorInfo& info) {
  return info.shape.size() == 2 && info.name.ends_with("_embd.weight");
}

class GgufReader : public WeightReader {
 public:
  explicit GgufReader(InputFile file) : file_(std::move(file)) {
    GgufHeader header = read_gguf_header(file_);
    file_.require_unchanged();
    metadata_ = std::move(header.metadata);
    for (GgufTensor& tensor : header.tensors) {
      begins_.push_back(tensor.begin);
      if (is_embedding(tensor.info)) tensor.info.layout.kind = Kind::kEmbedding;
      tensors_.push_back(std::move(tensor.info));
    }
    const auto& others = header.others;
    if (others.empty()) return;
    skipped_.push_back({others[0], others.size() == 1
                                       ? "is metadata that is not text"
                                       : fmt::format("and {} more entries of metadata are not text",
                                                     others.size() - 1)});
  }

  std::vector<std::byte> read(std::size_t index) const override {
    std::vector<std::byte> bytes = file_.read(begins_.at(index), byte_count(tensors_.at(index)));
    file_.require_unchanged();
    return bytes;
  }

 private:
  InputFile file_;
  std::vector<std::uint64_t> begins_;
};

}  // namespace

bool is_gguf(const InputFile& file) { return file.starts_with("GGUF"); }

std::unique_ptr<WeightReader> open_gguf(InputFile file, const ReadOptions&) {
  return std::make_unique<GgufReader>(std::move(file));
}

}  // namespace pqw
