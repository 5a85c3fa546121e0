// The content of an archive, read by a child process.
#include <utility>

#include "archive/backend.h"
#include "archive/digest.h"
#include "archive/layout.h"
#include "archive/record_checks.h"
#include "isolate/isolated.h"
#include "isolate/wire.h"

namespace pqw::archive {
namespace {

// Of a million tensors with names and options of 200 bytes.
constexpr std::size_t kMaxListBytes = std::size_t{256} << 20;

// What surrounds the data of a tensor: names, types and shapes of its sections and parts.
constexpr std::size_t kMaxHeadBytes = std::size_t{16} << 20;

std::vector<std::byte> encode_lists(const Backend& backend) {
  WireWriter out;
  out.number(backend.entries().size());
  for (const ArchiveEntry& entry : backend.entries()) {
    out.record({entry.info, entry.codec, entry.features, entry.options, {}});
    out.number(entry.data_bytes);
  }
  out.texts(backend.metadata());
  return out.take();
}

std::vector<std::byte> encode_data(const Backend& backend, std::size_t index) {
  if (backend.entries().at(index).codec == kPlainCodec) return backend.read_plain(index);
  WireWriter out;
  out.record(backend.read(index));
  return out.take();
}

ArchiveEntry decode_entry(WireReader& in, const Subject& archive) {
  const Record head = in.record(1);
  const Subject subject = archive.in("tensor", head.info.name);
  check_tensor(head.info, subject);
  const bool is_plain = head.codec == kPlainCodec;
  if (!is_plain) check_record(head, subject);
  ArchiveEntry entry{head.info, head.codec, head.features, head.options, in.number()};
  in.require(!is_plain || entry.data_bytes == byte_count(entry.info));
  return entry;
}

class IsolatedBackend : public Backend {
 public:
  explicit IsolatedBackend(InputFile file)
      : isolated_(std::move(file), {open_direct, encode_lists, encode_data}) {
    decode_lists(isolated_.lists(kMaxListBytes));
  }

  Record read(std::size_t index) const override {
    const ArchiveEntry& entry = entries_.at(index);
    const auto bytes = isolated_.data(index, entry.data_bytes + kMaxHeadBytes);
    WireReader in(bytes, subject_of(index));
    Record record = in.record(kMaxDepth);
    in.finish();
    check_record(record, subject_of(index));
    in.require(data_bytes(record) == entry.data_bytes);
    in.require(record.info == entry.info && record.codec == entry.codec);
    return record;
  }

  std::vector<std::byte> read_plain(std::size_t index) const override {
    const std::uint64_t n_bytes = entries_.at(index).data_bytes;
    std::vector<std::byte> bytes = isolated_.data(index, n_bytes);
    WireReader(bytes, subject_of(index)).require(bytes.size() == n_bytes);
    return bytes;
  }

 private:
  Subject subject() const { return {isolated_.file().path(), ErrorCode::kCorrupt}; }
  Subject subject_of(std::size_t index) const {
    return subject().in("tensor", entries_.at(index).info.name);
  }

  void decode_lists(std::span<const std::byte> bytes) {
    WireReader in(bytes, subject());
    std::uint64_t n_bytes = 0;
    for (std::size_t n = in.count(9 * sizeof(std::uint64_t)); n > 0; --n) {
      entries_.push_back(decode_entry(in, subject()));
      in.require(entries_.back().data_bytes <= isolated_.file().size() - n_bytes);
      n_bytes += entries_.back().data_bytes;
    }
    metadata_ = in.texts();
    in.finish();
  }

  Isolated<Backend> isolated_;
};

}  // namespace

std::unique_ptr<Backend> open_isolated(InputFile file) {
  // Here, as the child cannot wait for a thread of the parent that makes the first digest.
  (void)sha256({});
  return std::make_unique<IsolatedBackend>(std::move(file));
}

}  // namespace pqw::archive
