// The content of an archive, read in this process.
#include "archive/backend.h"
#include "archive/content.h"
#include "archive/layout.h"
#include "archive/user_block.h"
#include "h5/attribute.h"
#include "h5/file.h"
#include "h5/group.h"

namespace pqw::archive {
namespace {

std::unique_ptr<Content> open_content(const InputFile& file) {
  const Subject subject{file.path(), ErrorCode::kCorrupt};
  const std::uint64_t version = read_block(file).version;
  const auto lock = h5::exclusive();
  h5::Handle hdf5 = h5::open_file(file, subject);
  const h5::Object root = h5::open_root(hdf5.id(), subject);
  if (h5::read_text(root.handle.id(), kFormatAttribute, kMaxIdentifierBytes, subject) != kFormat ||
      h5::read_number(root.handle.id(), kVersionAttribute, subject) != version) {
    throw subject.error("the format or version of the root group contradicts the first block");
  }
  if (version == kFirstVersion) return open_version1(file, std::move(hdf5));
  return open_version2(file, hdf5);
}

class DirectBackend : public Backend {
 public:
  explicit DirectBackend(InputFile input)
      : input_(std::move(input)), content_(open_content(input_)) {
    metadata_ = content_->metadata();
    std::size_t n = 0;
    for (const Record& tensor : content_->tensors()) {
      entries_.push_back(
          {tensor.info, tensor.codec, tensor.features, tensor.options, stored_bytes(tensor)});
      first_arrays_.push_back(n);
      n += n_arrays(tensor);
    }
  }

  Record read(std::size_t index) const override {
    Record record = content_->tensors().at(index);
    std::size_t array = first_arrays_[index];
    fill(record, array, subject_of(index));
    return record;
  }

  std::vector<std::byte> read_plain(std::size_t index) const override {
    std::vector<std::byte> bytes(entries_.at(index).data_bytes);
    content_->read(first_arrays_[index], bytes, subject_of(index));
    return bytes;
  }

 private:
  Subject subject_of(std::size_t index) const {
    return Subject{input_.path(), ErrorCode::kCorrupt}.in("tensor", entries_[index].info.name);
  }

  // Reads the sections of a tensor or part, of which `array` is the first.
  void fill(Record& record, std::size_t& array, const Subject& subject) const {
    for (Section& section : record.sections) {
      section.bytes.resize(byte_count({section.name, section.dtype, section.shape}));
      content_->read(array++, section.bytes, subject.in("section", section.name));
    }
    for (Record& part : record.parts) fill(part, array, subject.in("section", part.info.name));
  }

  InputFile input_;  // outlives the content, which reads from it
  std::unique_ptr<Content> content_;
  std::vector<std::size_t> first_arrays_;  // of each tensor
};

}  // namespace

std::size_t n_arrays(const Record& record) {
  if (record.codec == kPlainCodec) return 1;
  std::size_t n = record.sections.size();
  for (const Record& part : record.parts) n += n_arrays(part);
  return n;
}

std::uint64_t stored_bytes(const Record& record) {
  return record.codec == kPlainCodec ? byte_count(record.info) : data_bytes(record);
}

std::unique_ptr<Backend> open_direct(InputFile file) {
  return std::make_unique<DirectBackend>(std::move(file));
}

}  // namespace pqw::archive
