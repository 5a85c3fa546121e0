// The content of an archive of version 1: one HDF5 object per tensor and section.
#include <nlohmann/json.hpp>
#include <set>

#include "archive/content.h"
#include "archive/dataset_checks.h"
#include "archive/layout.h"
#include "archive/version1_manifest.h"
#include "archive/version1_tensor.h"

namespace pqw::archive {
namespace {

void add_to(ManifestList& list, const std::string& path, const Record& record) {
  if (record.codec == kPlainCodec)
    return list.add_array(path, record.info.dtype, record.info.shape);
  list.add_group(path, record);
  for (const Section& section : record.sections) {
    list.add_array(path + "/" + section.name, section.dtype, section.shape);
  }
  for (const Record& part : record.parts) add_to(list, path + "/" + part.info.name, part);
}

std::map<std::string, std::string> parse_metadata(const std::string& text, const Subject& subject) {
  try {
    return nlohmann::json::parse(text).get<std::map<std::string, std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw subject.error("not a JSON object of texts");
  }
}

class Version1 : public Content {
 public:
  Version1(const InputFile& file, h5::Handle hdf5)
      : subject_{file.path(), ErrorCode::kCorrupt},
        file_bytes_(file.size()),
        file_(std::move(hdf5)) {
    read_root();
  }

  void read(std::size_t array, std::span<std::byte> bytes, const Subject& subject) const override {
    {
      const auto lock = h5::exclusive();
      const h5::Object object = h5::open_object(file_.id(), addresses_.at(array), subject);
      h5::read_dataset(object.handle.id(), bytes, subject);
    }
    require_digest(bytes, digests_.at(array), subject);
  }

 private:
  void read_root() {
    const h5::Object root = h5::open_root(file_.id(), subject_);
    const auto link = [&](const char* name) {
      return h5::find_link(root.handle.id(), name, subject_);
    };
    const auto metadata = link(kMetadataDataset);
    const auto tensors = link(kTensorsGroup);
    const auto manifest = link(kManifestDataset);
    if (!tensors) throw subject_.error("the group of tensors is missing");
    if (!manifest) throw subject_.error("the manifest is missing");
    ManifestList list;
    std::string metadata_text;
    if (metadata) {
      metadata_text =
          read_text_dataset(file_.id(), *metadata, file_bytes_, subject_.in("metadata"));
      list.add_text(kMetadataDataset, metadata_text.size());
    }
    read_tensors(*tensors, list);
    read_manifest(*manifest, list);
    if (metadata) take_metadata(metadata_text);
  }

  // The metadata come first in the manifest.
  void take_metadata(const std::string& text) {
    const Subject subject = subject_.in("metadata");
    require_digest(std::as_bytes(std::span(text)), digests_.front(), subject);
    digests_.erase(digests_.begin());
    metadata_ = parse_metadata(text, subject);
  }

  // REQUIRES: `list` has all that was read.
  void read_manifest(const h5::Link& link, ManifestList& list) {
    const Subject subject = subject_.in("manifest");
    Manifest manifest = parse_manifest(read_list(file_.id(), link, file_bytes_, subject), subject);
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
    std::uint64_t n_bytes = 0;
    std::set<std::string> names;
    for (const h5::Link& tensor :
         h5::list_links(group.handle.id(), h5::LinkOrder::kByCreation, kMaxTensors, subject)) {
      const auto name = name_from_link(tensor.name);
      if (!name) throw subject.error("link '{}' is not a valid tensor name", shown(tensor.name));
      const Subject of_tensor = subject_.in("tensor", *name);
      if (!names.insert(*name).second) throw of_tensor.error("occurs twice");
      TensorHead head = read_head(file_.id(), tensor, *name, file_bytes_, of_tensor);
      n_bytes += stored_bytes(head.record);
      if (n_bytes > file_bytes_)
        throw of_tensor.error("its data overlaps the data of other tensors");
      add_to(list, tensor_path(tensor.name), head.record);
      addresses_.insert(addresses_.end(), head.addresses.begin(), head.addresses.end());
      tensors_.push_back(std::move(head.record));
    }
  }

  Subject subject_;
  std::uint64_t file_bytes_;
  h5::Handle file_;
  std::vector<std::uint64_t> addresses_;  // of the dataset of each array
  std::vector<Digest> digests_;           // of each array
};

}  // namespace

std::unique_ptr<Content> open_version1(const InputFile& file, h5::Handle hdf5) {
  return std::make_unique<Version1>(file, std::move(hdf5));
}

}  // namespace pqw::archive
