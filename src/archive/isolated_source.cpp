// The content of an archive, read by a child process.
#include <set>
#include <utility>

#include "archive/digest.h"
#include "archive/layout.h"
#include "archive/source.h"
#include "core/subject.h"
#include "isolate/wire.h"
#include "isolate/worker.h"

namespace pqw::archive {
namespace {

// Request 0 asks for the lists, request i + 1 for the data of tensor i.
constexpr std::uint64_t kLists = 0;

// Of a million tensors with names and options of 200 bytes.
constexpr std::size_t kMaxListBytes = std::size_t{256} << 20;

// What surrounds the data of a tensor: names, types and shapes of its sections and parts.
constexpr std::size_t kMaxHeadBytes = std::size_t{16} << 20;

void require(bool ok) {
  if (!ok) throw Error(ErrorCode::kCorrupt, "a malformed answer");
}

std::vector<std::byte> encode_lists(const Source& source) {
  WireWriter out;
  out.number(source.entries().size());
  for (const ArchiveEntry& entry : source.entries()) {
    out.tensor(entry.info);
    out.text(entry.codec);
    out.number(entry.features.size());
    for (const std::string& feature : entry.features) out.text(feature);
    out.text(entry.options);
    out.number(entry.data_bytes);
  }
  out.number(source.metadata().size());
  for (const auto& [key, value] : source.metadata()) {
    out.text(key);
    out.text(value);
  }
  return out.take();
}

ArchiveEntry decode_entry(WireReader& in) {
  ArchiveEntry entry;
  entry.info = in.tensor();
  entry.codec = in.text();
  require(is_identifier(entry.codec));
  for (std::size_t n = in.count(sizeof(std::uint64_t)); n > 0; --n) {
    entry.features.push_back(in.text());
    require(is_identifier(entry.features.back()) && entry.features.size() <= kMaxFeatures);
  }
  entry.options = in.text();
  entry.data_bytes = in.number();
  require(entry.codec != kPlainCodec || entry.data_bytes == byte_count(entry.info));
  return entry;
}

// Throws unless the record has the form that DirectSource gives.
void check_record(const Record& record) {
  std::set<std::string> names;
  for (const Section& section : record.sections) {
    require(is_identifier(section.name) && names.insert(section.name).second);
  }
  for (const Record& part : record.parts) {
    require(is_identifier(part.info.name) && names.insert(part.info.name).second);
    check_record(part);
  }
  require(is_identifier(record.codec) && names.size() <= kMaxSections);
  require(record.features.size() <= kMaxFeatures && record.options.size() <= kMaxOptionsBytes);
}

Record decode_record(std::span<const std::byte> bytes, const ArchiveEntry& entry) {
  WireReader in(bytes);
  Record record = in.record(kMaxDepth);
  in.finish();
  check_record(record);
  require(data_bytes(record) == entry.data_bytes);
  require(record.info == entry.info && record.codec == entry.codec);
  return record;
}

class IsolatedSource : public Source {
 public:
  explicit IsolatedSource(InputFile file)
      : file_(std::move(file)),
        worker_(file_, [this](std::uint64_t request) { return serve(request); }) {
    const std::vector<std::byte> lists = worker_.call(kLists, kMaxListBytes);
    decoded(subject(), [&] { decode_lists(lists); });
  }

  Record read(std::size_t index) const override {
    const ArchiveEntry& entry = entries_.at(index);
    const auto bytes = worker_.call(index + 1, entry.data_bytes + kMaxHeadBytes);
    Record record;
    decoded(subject_of(index), [&] { record = decode_record(bytes, entry); });
    return record;
  }

  std::vector<std::byte> read_plain(std::size_t index) const override {
    const std::uint64_t data_bytes = entries_.at(index).data_bytes;
    std::vector<std::byte> bytes = worker_.call(index + 1, data_bytes);
    decoded(subject_of(index), [&] { require(bytes.size() == data_bytes); });
    return bytes;
  }

 private:
  // In the child.
  std::vector<std::byte> serve(std::uint64_t request) {
    if (!direct_) direct_ = open_direct(std::move(file_));
    if (request == kLists) return encode_lists(*direct_);
    const std::size_t index = request - 1;
    if (direct_->entries().at(index).codec == kPlainCodec) return direct_->read_plain(index);
    WireWriter out;
    out.record(direct_->read(index));
    return out.take();
  }

  Subject subject() const { return {file_.path(), ErrorCode::kCorrupt}; }
  Subject subject_of(std::size_t index) const {
    return subject().in("tensor", entries_.at(index).info.name);
  }

  // Names the subject of what a malformed answer is about.
  template <class Decode>
  static void decoded(const Subject& subject, Decode decode) {
    try {
      decode();
    } catch (const Error& error) {
      throw subject.error("{}", error.what());
    }
  }

  void decode_lists(std::span<const std::byte> bytes) {
    WireReader in(bytes);
    std::uint64_t data_bytes = 0;
    for (std::size_t n = in.count(7 * sizeof(std::uint64_t)); n > 0; --n) {
      entries_.push_back(decode_entry(in));
      require(entries_.back().data_bytes <= file_.size() - data_bytes);
      data_bytes += entries_.back().data_bytes;
    }
    for (std::size_t n = in.count(2 * sizeof(std::uint64_t)); n > 0; --n) {
      std::string key = in.text();
      metadata_[std::move(key)] = in.text();
    }
    in.finish();
  }

  InputFile file_;                  // in the child: moved to direct_
  std::unique_ptr<Source> direct_;  // in the child only
  mutable Worker worker_;           // last: the child is a copy of what is there before it
};

}  // namespace

std::unique_ptr<Source> open_isolated(InputFile file) {
  // Here, as the child cannot wait for a thread of the parent that makes the first digest.
  (void)sha256({});
  return std::make_unique<IsolatedSource>(std::move(file));
}

}  // namespace pqw::archive
