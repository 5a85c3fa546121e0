// Generic HDF5 files of tensors.
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "formats/byte_order.h"
#include "formats/formats.h"
#include "formats/hdf5_attributes.h"
#include "formats/hdf5_walk.h"
#include "formats/keras_layouts.h"
#include "formats/write_order.h"
#include "h5/dataset.h"
#include "h5/file.h"
#include "h5/group.h"
#include "h5/handle.h"
#include "pqw/io/atomic_file.h"

namespace pqw {
namespace {

class Hdf5Reader : public WeightReader {
 public:
  explicit Hdf5Reader(InputFile input)
      : subject_{input.path(), ErrorCode::kFormat}, input_(std::move(input)) {
    const auto lock = h5::exclusive();
    file_ = h5::open_file(input_, subject_);
    Hdf5Content content = walk_hdf5(file_.id(), input_.size(), input_.path());
    found_ = std::move(content.tensors);
    skipped_ = std::move(content.skipped);
    metadata_ = std::move(content.metadata);
    for (const Hdf5Tensor& tensor : found_) {
      tensors_.push_back(tensor.info);
      stored_as_.push_back(tensor.stored_as);
    }
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const auto lock = h5::exclusive();
    const Hdf5Tensor& tensor = found_.at(index);
    const Subject subject = subject_.in("tensor", tensor.info.name);
    const h5::Object object = h5::open_object(file_.id(), tensor.address, subject);
    std::vector<std::byte> bytes(byte_count(tensor.info));
    h5::read_dataset(object.handle.id(), bytes, subject);
    input_.require_unchanged();
    if (tensor.big_endian) swap_bytes(bytes, size_in_bytes(tensor.info.dtype));
    return bytes;
  }

 private:
  Subject subject_;
  InputFile input_;  // outlives the handle, which reads from it
  h5::Handle file_;
  std::vector<Hdf5Tensor> found_;
};

// HDF5 reads "a//b", "/a/b" and "./a/b" as "a/b".
bool is_path(std::string_view name) {
  if (name.find('\0') != std::string_view::npos) return false;
  for (;;) {
    const std::size_t slash = name.find('/');
    const std::string_view component = name.substr(0, slash);
    if (component.empty() || component == ".") return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

// Adds the groups in which `name` lies. Errors: kUnsupported if a tensor has the name of one.
void add_groups(const std::string& name, const std::set<std::string>& tensors,
                const Subject& subject, std::set<std::string>& groups) {
  for (std::size_t slash = name.find('/'); slash != std::string::npos;
       slash = name.find('/', slash + 1)) {
    std::string group = name.substr(0, slash);
    if (tensors.contains(group)) {
      throw subject.error(ErrorCode::kUnsupported,
                          "lies below tensor '{}', HDF5 cannot hold both under these names",
                          shown(group));
    }
    groups.insert(std::move(group));
  }
}

// The groups that hold tensors of these names or have attributes, each after the one it lies in.
// Checks that HDF5 can hold the types, the shapes, and all names in one file. Errors: kUnsupported.
// REQUIRES: different names.
std::vector<std::string> groups_of(const std::vector<TensorInfo>& tensors,
                                   const std::vector<Hdf5Attribute>& attributes,
                                   const std::string& path) {
  std::set<std::string> names;
  for (const TensorInfo& info : tensors) {
    const Subject subject = Subject{path}.in("tensor", info.name);
    if (!is_path(info.name)) {
      throw subject.error(ErrorCode::kUnsupported,
                          "HDF5 cannot hold this name: a part between slashes is empty or '.', or "
                          "it has a zero byte");
    }
    if (!is_basic(info.dtype)) {
      throw subject.error(ErrorCode::kUnsupported, "HDF5 files cannot hold {}; use .safetensors",
                          dtype_name(info));
    }
    if (info.shape.size() > h5::kMaxRank) {
      throw subject.error(ErrorCode::kUnsupported, "{} dimensions, HDF5 holds at most 32",
                          info.shape.size());
    }
    names.insert(info.name);
  }
  std::set<std::string> groups;  // ascending: "a" comes before "a/b"
  for (const TensorInfo& info : tensors) {
    add_groups(info.name, names, Subject{path}.in("tensor", info.name), groups);
  }
  for (const Hdf5Attribute& attribute : attributes) {
    if (attribute.group.empty()) continue;
    const Subject subject = Subject{path}.in("group", attribute.group);
    if (!is_path(attribute.group)) {
      throw subject.error(ErrorCode::kUnsupported, "HDF5 cannot hold this name");
    }
    add_groups(attribute.group + "/", names, subject, groups);
  }
  return {groups.begin(), groups.end()};
}

class Hdf5Writer : public WeightWriter {
 public:
  Hdf5Writer(const std::string& path, std::vector<TensorInfo> tensors, const Metadata& metadata,
             const WriteOptions& options)
      : subject_{path, ErrorCode::kIo}, order_(path, std::move(tensors)) {
    const auto lock = h5::exclusive();
    std::vector<Hdf5Attribute> attributes;
    for (const auto& [key, value] : metadata) {
      attributes.push_back(attribute_of(key, value, subject_.in("metadata", key)));
    }
    const std::vector<std::string> groups = groups_of(order_.tensors(), attributes, path);
    target_.emplace(path, options);
    file_ = h5::create_file(target_->temporary_path(), h5::FileKind::kInterchange, subject_);
    for (const std::string& group : groups) {
      const Subject subject = subject_.in("group", group);
      h5::Handle created = h5::create_group(file_.id(), group, subject);
      write_attributes(created.id(), group, attributes, subject);
      created.close(subject_);
    }
    const h5::Object root = h5::open_root(file_.id(), subject_);
    write_attributes(root.handle.id(), "", attributes, subject_);
  }

  void add(std::span<const std::byte> bytes) override {
    const auto lock = h5::exclusive();
    const TensorInfo& info = order_.tensors()[order_.next(bytes.size())];
    const Subject subject = subject_.in("tensor", info.name);
    h5::Handle dataset = h5::create_dataset(file_.id(), info.name, info.dtype, info.shape,
                                            h5::Storage::kContiguous, subject);
    h5::write_dataset(dataset.id(), bytes, subject);
    dataset.close(subject);
  }

  bool add_name_of(std::size_t added) override {
    const auto lock = h5::exclusive();
    order_.next_as(added);
    const std::string& name = order_.tensors()[order_.n_added() - 1].name;
    h5::create_hard_link(file_.id(), order_.tensors()[added].name, name,
                         subject_.in("tensor", name));
    return true;
  }

  void commit() override {
    order_.require_complete();
    file_.close(subject_);
    target_->commit();
  }

 private:
  static void write_attributes(h5::Id id, const std::string& group,
                               const std::vector<Hdf5Attribute>& attributes,
                               const Subject& subject) {
    for (const Hdf5Attribute& attribute : attributes) {
      if (attribute.group == group) {
        write_attribute(id, attribute, subject.in("attribute", attribute.name));
      }
    }
  }

  Subject subject_;
  WriteOrder order_;
  std::optional<AtomicFile> target_;  // outlives the file, which writes to it
  h5::Handle file_;
};

}  // namespace

bool is_hdf5(const InputFile& file) { return h5::find_superblock(file).has_value(); }

std::unique_ptr<WeightReader> open_hdf5(InputFile file, const ReadOptions& options) {
  auto reader =
      options.trusted ? open_hdf5_direct(std::move(file)) : open_hdf5_isolated(std::move(file));
  if (!is_keras(reader->tensors(), reader->metadata())) return reader;
  const auto config = reader->metadata().find("model_config");
  set_keras_layouts(*reader, config == reader->metadata().end() ? "" : config->second);
  return reader;
}

std::unique_ptr<WeightReader> open_hdf5_direct(InputFile file) {
  return std::make_unique<Hdf5Reader>(std::move(file));
}

std::unique_ptr<WeightWriter> create_hdf5(const std::string& path, std::vector<TensorInfo> tensors,
                                          const Metadata& metadata, const WriteOptions& options) {
  return std::make_unique<Hdf5Writer>(path, std::move(tensors), metadata, options);
}

}  // namespace pqw
