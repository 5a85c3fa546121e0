// Writes numpy's .npz files.

#include <algorithm>
#include <optional>
#include <utility>

#include "core/subject.h"
#include "core/utf8.h"
#include "formats/formats.h"
#include "formats/npy.h"
#include "formats/write_order.h"
#include "formats/zip_archive.h"

namespace pqw {
namespace {

constexpr std::size_t kMaxNameBytes = 65535;  // u16 in the zip format

std::string member_name(const Subject& subject, const std::string& tensor) {
  const auto is_control = [](char c) {  // libzip takes them for code page 437
    return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
  };
  if (!is_utf8(tensor)) throw subject.error(ErrorCode::kUnsupported, "the name is not UTF-8");
  if (std::any_of(tensor.begin(), tensor.end(), is_control)) {
    throw subject.error(ErrorCode::kUnsupported,
                        "a .npz file cannot hold control characters in names");
  }
  std::string name = tensor + ".npy";
  if (name.size() > kMaxNameBytes) {
    throw subject.error(ErrorCode::kUnsupported, "a name of {} bytes, a .npz file allows {}",
                        tensor.size(), kMaxNameBytes - 4);
  }
  return name;
}

// The members are collected in a temporary file, because libzip wants to have all of them at hand
// when it writes; it reads them with system calls, so that a failing disk is an error.
class NpzWriter : public WeightWriter {
 public:
  NpzWriter(const std::string& path, std::vector<TensorInfo> tensors, const WriteOptions& options)
      : order_(path, std::move(tensors)),
        target_(path, options),
        spool_(std::in_place, path + ".spool", WriteOptions{.overwrite = true}) {
    for (const TensorInfo& info : order_.tensors()) {
      const Subject subject = Subject{target_.path()}.in("tensor", info.name);
      names_.push_back(member_name(subject, info.name));
      headers_.push_back(format_npy_header(subject, info));
    }
  }

  void add(std::span<const std::byte> bytes) override {
    const std::size_t index = order_.next(bytes.size());
    spool_->write(std::as_bytes(std::span(headers_[index])));
    spool_->write(bytes);
  }

  void commit() override {
    order_.require_complete();
    ZipWriter zip(target_, spool_->temporary_path());
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::uint64_t size = headers_[i].size() + byte_count(order_.tensors()[i]);
      zip.add(names_[i], offset, size);
      offset += size;
    }
    zip.write();
    spool_.reset();
    target_.commit();
  }

 private:
  WriteOrder order_;
  AtomicFile target_;
  std::optional<AtomicFile> spool_;  // never committed
  std::vector<std::string> names_;
  std::vector<std::string> headers_;
};

}  // namespace

std::unique_ptr<WeightWriter> create_npz(const std::string& path, std::vector<TensorInfo> tensors,
                                         const Metadata&, const WriteOptions& options) {
  return std::make_unique<NpzWriter>(path, std::move(tensors), options);
}

}  // namespace pqw
