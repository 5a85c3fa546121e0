// Reading archives.
#include <algorithm>
#include <cassert>
#include <nlohmann/json.hpp>
#include <set>

#include "archive/layout.h"
#include "archive/link_name.h"
#include "archive/tensor_reader.h"
#include "archive/user_block.h"
#include "h5/attribute.h"
#include "h5/file.h"
#include "pqw/archive/archive.h"
#include "pqw/io/mapped_file.h"

namespace pqw {
namespace {

using archive::TensorHead;

// Checks what can be checked before HDF5 sees the file; returns its size.
std::uint64_t check_first_bytes(const h5::Context& context) {
  const MappedFile file(context.file);
  const std::uint64_t size = file.bytes().size();
  const archive::UserBlock block = archive::parse(file.bytes(), context.file);
  if (block.file_bytes != size) {
    throw context.error(std::to_string(size) + " bytes long, its first block says " +
                        std::to_string(block.file_bytes));
  }
  // HDF5's signature, then the version of its superblock. Only version 3 has checksums in all of
  // its metadata and a mark on files that were not closed.
  constexpr std::string_view kSuperblock = "\x89HDF\r\n\x1a\n\x03";
  const auto superblock = file.bytes().subspan(archive::kUserBlockBytes);
  const bool same = superblock.size() >= kSuperblock.size() &&
                    std::equal(kSuperblock.begin(), kSuperblock.end(), superblock.begin(),
                               [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
  if (!same) throw context.error("no HDF5 superblock of version 3 at byte 512");
  return size;
}

std::map<std::string, std::string> parse_metadata(const std::string& text,
                                                  const h5::Context& context) {
  try {
    return nlohmann::json::parse(text).get<std::map<std::string, std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw context.error("not a JSON object of texts");
  }
}

}  // namespace

struct ArchiveReader::Impl {
  explicit Impl(const std::string& path)
      : context{path, "", ErrorCode::kCorrupt},
        file_bytes(check_first_bytes(context)),
        file(h5::open_file(path, context)) {
    const std::uint64_t end = h5::allocated_end(file.id(), context);
    if (end != file_bytes) {
      throw context.error(std::to_string(file_bytes) + " bytes long, its superblock says " +
                          std::to_string(end));
    }
    read_root();
  }

  void read_root() {
    const h5::Object root = h5::open_root(file.id(), context);
    const h5::Id id = root.handle.id();
    if (h5::read_text(id, archive::kFormatAttribute, archive::kMaxIdentifierBytes, context) !=
            archive::kFormat ||
        h5::read_number(id, archive::kVersionAttribute, context) != archive::kVersion) {
      throw context.error("the format or version of the root group contradicts the first block");
    }
    bool has_tensors = false;
    // Whatever else a later version puts here is not for this one.
    constexpr std::size_t kMaxRootLinks = 1024;
    for (const h5::Link& link :
         h5::list_links(id, h5::LinkOrder::kByName, kMaxRootLinks, context)) {
      if (link.name == archive::kMetadataDataset) {
        const h5::Context subject = context.about("metadata");
        metadata = parse_metadata(archive::read_text_dataset(file.id(), link, file_bytes, subject),
                                  subject);
      } else if (link.name == archive::kTensorsGroup) {
        has_tensors = true;
        read_tensors(link);
      }
    }
    if (!has_tensors) throw context.error("no group of tensors");
  }

  void read_tensors(const h5::Link& link) {
    const h5::Context subject = context.about("group 'tensors'");
    if (link.kind != h5::LinkKind::kHard) throw subject.error("not a hard link");
    const h5::Object group = h5::open_object(file.id(), link.address, subject);
    if (group.kind != h5::ObjectKind::kGroup) throw subject.error("not a group");
    std::uint64_t data_bytes = 0;
    std::set<std::string> names;
    for (const h5::Link& tensor : h5::list_links(group.handle.id(), h5::LinkOrder::kByCreation,
                                                 archive::kMaxTensors, subject)) {
      const auto name = archive::name_from_link(tensor.name);
      if (!name) throw subject.error(h5::quoted("link", tensor.name) + " is no name of a tensor");
      const h5::Context of_tensor = context.about(h5::quoted("tensor", *name));
      if (!names.insert(*name).second) throw of_tensor.error("is there twice");
      TensorHead head = archive::read_head(file.id(), tensor, *name, file_bytes, of_tensor);
      data_bytes += head.entry.data_bytes;
      if (data_bytes > file_bytes) throw of_tensor.error("its data overlaps that of others");
      entries.push_back(std::move(head.entry));
      arrays.push_back(std::move(head.arrays));
    }
  }

  h5::Context context_of(std::size_t index) const {
    return context.about(h5::quoted("tensor", entries.at(index).info.name));
  }

  h5::Context context;
  std::uint64_t file_bytes;
  h5::Handle file;
  std::map<std::string, std::string> metadata;
  std::vector<ArchiveEntry> entries;
  std::vector<std::vector<archive::ArrayInfo>> arrays;  // of each entry
};

ArchiveReader::ArchiveReader(const std::string& path) : impl_(std::make_unique<Impl>(path)) {}
ArchiveReader::~ArchiveReader() = default;
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;

const std::string& ArchiveReader::path() const { return impl_->context.file; }
std::uint64_t ArchiveReader::file_bytes() const { return impl_->file_bytes; }
const std::vector<ArchiveEntry>& ArchiveReader::entries() const { return impl_->entries; }
const std::map<std::string, std::string>& ArchiveReader::metadata() const {
  return impl_->metadata;
}

Record ArchiveReader::read(std::size_t index) const {
  const ArchiveEntry& entry = impl_->entries.at(index);
  assert(entry.codec != archive::kPlainCodec);
  const h5::Context context = impl_->context_of(index);
  archive::require_known_features(entry, context);
  Record record{entry.info, entry.codec, entry.features, entry.options, {}};
  for (const archive::ArrayInfo& array : impl_->arrays.at(index)) {
    record.sections.push_back({array.name, array.dtype, array.shape,
                               archive::read_array(impl_->file.id(), array, context)});
  }
  return record;
}

std::vector<std::byte> ArchiveReader::read_plain(std::size_t index) const {
  assert(impl_->entries.at(index).codec == archive::kPlainCodec);
  return archive::read_array(impl_->file.id(), impl_->arrays.at(index).front(),
                             impl_->context_of(index));
}

}  // namespace pqw
