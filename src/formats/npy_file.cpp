// Files in numpy's .npy format.
#include <utility>

#include "core/subject.h"
#include "formats/formats.h"
#include "formats/npy.h"
#include "formats/write_order.h"
#include "pqw/io/atomic_file.h"

namespace pqw {
namespace {

class NpyReader : public WeightReader {
 public:
  explicit NpyReader(InputFile file)
      : file_(std::move(file)),
        header_(parse_npy_header(Subject{file_.path()}.in("tensor", name_), name_,
                                 file_.read_start(kNpyMaxHeaderBytes), file_.size(), skipped_)) {
    if (header_) tensors_.push_back(header_->info);
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const TensorInfo& info = tensors_.at(index);
    std::vector<std::byte> bytes = file_.read(header_->header_bytes, header_->data_bytes);
    file_.require_unchanged();
    if (needs_conversion(*header_))
      bytes = convert_npy(Subject{file_.path()}.in("tensor", info.name), *header_, bytes);
    return bytes;
  }

 private:
  std::string name_ = kNpyTensorName;
  InputFile file_;
  std::optional<NpyHeader> header_;  // empty if the array is not a tensor
};

class NpyWriter : public WeightWriter {
 public:
  NpyWriter(const std::string& path, std::vector<TensorInfo> tensors, const WriteOptions& options)
      : order_(path, std::move(tensors)), file_(path, options) {
    const TensorInfo& info = order_.tensors().front();
    const std::string header = format_npy_header(Subject{path}.in("tensor", info.name), info);
    file_.write(std::as_bytes(std::span(header)));
  }

  void add(std::span<const std::byte> bytes) override {
    order_.next(bytes.size());
    file_.write(bytes);
  }

  void commit() override {
    order_.require_complete();
    file_.commit();
  }

 private:
  WriteOrder order_;
  AtomicFile file_;
};

}  // namespace

bool is_npy(const InputFile& file) { return file.starts_with(kNpyMagic); }

std::unique_ptr<WeightReader> open_npy(InputFile file, const ReadOptions&) {
  return std::make_unique<NpyReader>(std::move(file));
}

std::unique_ptr<WeightWriter> create_npy(const std::string& path, std::vector<TensorInfo> tensors,
                                         const Metadata&, const WriteOptions& options) {
  if (tensors.size() != 1) {
    throw Subject{path}.error(ErrorCode::kUnsupported,
                              "{} tensors given, a .npy file holds exactly one; use .npz or "
                              ".safetensors",
                              tensors.size());
  }
  return std::make_unique<NpyWriter>(path, std::move(tensors), options);
}

}  // namespace pqw
