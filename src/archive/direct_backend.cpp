// The content of an archive, read through HDF5.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "archive/backend.h"
#include "archive/layout.h"
#include "archive/manifest.h"
#include "archive/tensor_reader.h"
#include "h5/attribute.h"
#include "h5/file.h"
#include "h5/handle.h"

namespace pqw::archive {
namespace {

// Also notes the place of each array's digest.
void add_to(ManifestList& list, const std::string& path, TensorHead& head) {
  if (head.entry.codec != kPlainCodec) list.add_group(path, head.entry);
  for (ArrayInfo& array : head.arrays) {
    array.digest = list.n_datasets();
    list.add_array(array.name.empty() ? path : path + "/" + array.name, array.dtype, array.shape);
  }
  for (TensorHead& part : head.parts) add_to(list, path + "/" + part.entry.info.name, part);
}

std::map<std::string, std::string> parse_metadata(const std::string& text, const Subject& subject) {
  try {
    return nlohmann::json::parse(text).get<std::map<std::string, std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw subject.error("not a JSON object of texts");
  }
}

class DirectBackend : public Backend {
 public:
  explicit DirectBackend(InputFile input)
      : subject_{input.path(), ErrorCode::kCorrupt},
        input_(std::move(input)),
        file_bytes_(input_.size()) {
    const auto lock = h5::exclusive();
    file_ = h5::open_file(input_, subject_);
    read_root();
  }

  Record read(std::size_t index) const override {
    const auto lock = h5::exclusive();
    return read_record(heads_.at(index), subject_of(index));
  }

  std::vector<std::byte> read_plain(std::size_t index) const override {
    const auto lock = h5::exclusive();
    return read_data(heads_.at(index).arrays.at(0), subject_of(index));
  }

 private:
  void read_root() {
    const h5::Object root = h5::open_root(file_.id(), subject_);
    const h5::Id id = root.handle.id();
    if (h5::read_text(id, kFormatAttribute, kMaxIdentifierBytes, subject_) != kFormat ||
        h5::read_number(id, kVersionAttribute, subject_) != kVersion) {
      throw subject_.error("the format or version of the root group contradicts the first block");
    }
    // Whatever else a later version puts here is not for this one.
    constexpr std::size_t kMaxRootLinks = 1024;
    std::map<std::string, h5::Link> links;
    for (const h5::Link& link :
         h5::list_links(id, h5::LinkOrder::kByName, kMaxRootLinks, subject_)) {
      links.emplace(link.name, link);
    }
    if (!links.contains(kTensorsGroup)) throw subject_.error("the group of tensors is missing");
    if (!links.contains(kManifestDataset)) throw subject_.error("the manifest is missing");
    ManifestList list;
    std::string metadata_text;
    const bool has_metadata = links.contains(kMetadataDataset);
    if (has_metadata) metadata_text = read_metadata(links[kMetadataDataset], list);
    read_tensors(links[kTensorsGroup], list);
    read_manifest(links[kManifestDataset], list);
    if (has_metadata) take_metadata(metadata_text);
  }

  std::string read_metadata(const h5::Link& link, ManifestList& list) {
    std::string text = read_text_dataset(file_.id(), link, file_bytes_, subject_.in("metadata"));
    list.add_text(kMetadataDataset, text.size());
    return text;
  }

  void take_metadata(const std::string& text) {
    const Subject subject = subject_.in("metadata");
    require_digest(std::as_bytes(std::span(text)), digests_.front(), subject);
    metadata_ = parse_metadata(text, subject);
  }

  // REQUIRES: `list` has all that was read.
  void read_manifest(const h5::Link& link, ManifestList& list) {
    const Subject subject = subject_.in("manifest");
    const ArrayInfo array = read_array_head(file_.id(), link, file_bytes_, subject);
    Manifest manifest = parse_manifest(read_array(file_.id(), array, subject), subject);
    if (manifest.arrays.size() != list.n_datasets()) {
      throw subject.error("lists {} datasets, the file has {}", manifest.arrays.size(),
                          list.n_datasets());
    }
    if (manifest.objects != list.finish()) {
      throw subject.error(
          "the names, types, shapes and attributes of the file differ from its digest");
    }
    digests_ = std::move(manifest.arrays);
  }

  void read_tensors(const h5::Link& link, ManifestList& list) {
    const Subject subject = subject_.in("group", kTensorsGroup);
    if (link.kind != h5::LinkKind::kHard) throw subject.error("not a hard link");
    const h5::Object group = h5::open_object(file_.id(), link.address, subject);
    if (group.kind != h5::ObjectKind::kGroup) throw subject.error("not a group");
    std::uint64_t data_bytes = 0;
    std::set<std::string> names;
    for (const h5::Link& tensor :
         h5::list_links(group.handle.id(), h5::LinkOrder::kByCreation, kMaxTensors, subject)) {
      const auto name = name_from_link(tensor.name);
      if (!name) throw subject.error("link '{}' is not a valid tensor name", shown(tensor.name));
      const Subject of_tensor = subject_.in("tensor", *name);
      if (!names.insert(*name).second) throw of_tensor.error("occurs twice");
      TensorHead head = read_head(file_.id(), tensor, *name, file_bytes_, of_tensor);
      data_bytes += head.entry.data_bytes;
      if (data_bytes > file_bytes_)
        throw of_tensor.error("its data overlaps the data of other tensors");
      add_to(list, tensor_path(tensor.name), head);
      entries_.push_back(head.entry);
      heads_.push_back(std::move(head));
    }
  }

  Subject subject_of(std::size_t index) const {
    return subject_.in("tensor", entries_.at(index).info.name);
  }

  // The bytes of an array. Errors: kCorrupt, also when they have another digest.
  std::vector<std::byte> read_data(const ArrayInfo& array, Subject subject) const {
    if (!array.name.empty()) subject = subject.in("section", array.name);
    std::vector<std::byte> bytes = read_array(file_.id(), array, subject);
    require_digest(bytes, digests_.at(array.digest), subject);
    return bytes;
  }

  Record read_record(const TensorHead& head, const Subject& subject) const {
    const ArchiveEntry& entry = head.entry;
    Record record{entry.info, entry.codec, entry.features, entry.options, {}};
    for (const ArrayInfo& array : head.arrays) {
      record.sections.push_back({array.name, array.dtype, array.shape, read_data(array, subject)});
    }
    for (const TensorHead& part : head.parts) {
      record.parts.push_back(read_record(part, subject.in("section", part.entry.info.name)));
    }
    return record;
  }

  Subject subject_;
  InputFile input_;  // outlives the handle, which reads from it
  std::uint64_t file_bytes_;
  h5::Handle file_;
  std::vector<TensorHead> heads_;  // of each entry
  std::vector<Digest> digests_;
};

}  // namespace

std::unique_ptr<Backend> open_direct(InputFile file) {
  return std::make_unique<DirectBackend>(std::move(file));
}

}  // namespace pqw::archive
