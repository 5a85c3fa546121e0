// Files in the safetensors format.
#include <algorithm>
#include <bit>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/subject.h"
#include "formats/append_range.h"
#include "formats/byte_order.h"
#include "formats/formats.h"
#include "formats/safetensors_header.h"
#include "formats/write_order.h"
#include "io/spool.h"
#include "pqw/io/atomic_file.h"

namespace pqw {
namespace {

constexpr std::size_t kPrefixBytes = sizeof(std::uint64_t);

struct OpenedHeader {
  SafetensorsHeader header;      // entries in the order of their data
  std::uint64_t data_begin = 0;  // from the start of the file
};

OpenedHeader read_header(const InputFile& file) {
  const Subject subject{file.path()};
  if (file.size() < kPrefixBytes) {
    throw subject.error("{} bytes, a safetensors file starts with 8 bytes of header length",
                        file.size());
  }
  const auto length = load_little_endian<std::uint64_t>(file.read(0, kPrefixBytes));
  if (length > kSafetensorsMaxHeaderBytes) {
    throw subject.error("header of {} bytes, safetensors allows {}", length,
                        kSafetensorsMaxHeaderBytes);
  }
  if (length > file.size() - kPrefixBytes) {
    throw subject.error("header of {} bytes, the file has {} after its length", length,
                        file.size() - kPrefixBytes);
  }
  const std::vector<std::byte> json = file.read(kPrefixBytes, length);
  SafetensorsHeader header = parse_safetensors_header(
      file.path(), {reinterpret_cast<const char*>(json.data()), json.size()});
  const std::uint64_t data_begin = kPrefixBytes + length;
  sort_and_check_ranges(file.path(), file.size() - data_begin, header.entries);
  file.require_unchanged();
  return {std::move(header), data_begin};
}

class SafetensorsReader : public WeightReader {
 public:
  explicit SafetensorsReader(InputFile file) : file_(std::move(file)) {
    auto [header, data_begin] = read_header(file_);
    metadata_ = std::move(header.metadata);
    for (SafetensorsEntry& entry : header.entries) {
      tensors_.push_back(std::move(entry.info));
      begins_.push_back(data_begin + entry.begin);
    }
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const std::size_t size = byte_count(tensors_.at(index));
    std::vector<std::byte> bytes = file_.read(begins_[index], size);
    file_.require_unchanged();
    return bytes;
  }

 private:
  InputFile file_;
  std::vector<std::uint64_t> begins_;  // from the start of the file
};

// The alignment of a tensor's offset: the size of an element if that is a power of two, and 1 for
// packed elements.
std::size_t alignment_of(const TensorInfo& info) {
  const std::size_t count = element_count(info.shape);
  const std::size_t bytes = byte_count(info);
  if (info.dtype != DType::kUnknown) return std::max<std::size_t>(size_in_bits(info.dtype) / 8, 1);
  const bool is_whole = count > 0 && bytes % count == 0 && std::has_single_bit(bytes / count);
  return is_whole ? bytes / count : 1;
}

// Gives every tensor its range, in the order of `order`; false if one is not aligned.
bool place(std::vector<SafetensorsEntry>& entries, const std::vector<std::size_t>& order) {
  bool aligned = true;
  std::size_t offset = 0;
  for (const std::size_t i : order) {
    SafetensorsEntry& entry = entries[i];
    aligned = aligned && offset % alignment_of(entry.info) == 0;
    entry.begin = offset;
    entry.end = offset += byte_count(entry.info);
  }
  return aligned;
}

AtomicFile open_output(const std::string& path, const WriteOptions& options) {
  return path == kStandardStream ? AtomicFile::to_standard_output() : AtomicFile(path, options);
}

// Writes each tensor at its place in the file.
class PlacedWriter : public WeightWriter {
 public:
  void add(std::span<const std::byte> bytes) override {
    const std::size_t index = order_.next(bytes.size());
    file_.write_at(offsets_[index], bytes);
  }

  void commit() override {
    order_.require_complete();
    file_.commit();
  }

 protected:
  PlacedWriter(WriteOrder order, AtomicFile file)
      : order_(std::move(order)), file_(std::move(file)) {}

  WriteOrder order_;
  AtomicFile file_;
  std::vector<std::uint64_t> offsets_;  // from the start of the file
};

class SafetensorsWriter : public PlacedWriter {
 public:
  SafetensorsWriter(const std::string& path, std::vector<TensorInfo> tensors,
                    const Metadata& metadata, const WriteOptions& options)
      : PlacedWriter(WriteOrder(path, std::move(tensors)), open_output(path, options)) {
    SafetensorsHeader header{.entries = {}, .metadata = metadata};
    for (const TensorInfo& info : order_.tensors()) header.entries.push_back({info});
    std::vector<std::size_t> order(header.entries.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (!place(header.entries, order)) {
      std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return alignment_of(order_.tensors()[a]) > alignment_of(order_.tensors()[b]);
      });
      place(header.entries, order);
    }
    const std::string text = format_safetensors_header(path, header);
    file_.write(std::as_bytes(std::span(text)));
    for (const SafetensorsEntry& entry : header.entries) {
      offsets_.push_back(text.size() + entry.begin);
    }
  }
};

// Writes a copy of a file, and overwrites the values of some tensors in it.
class SafetensorsCopy : public PlacedWriter {
 public:
  SafetensorsCopy(const InputFile& original, const std::string& path,
                  std::vector<TensorInfo> tensors, const WriteOptions& options)
      : PlacedWriter(WriteOrder(path, std::move(tensors)), AtomicFile(path, options)) {
    const auto [header, data_begin] = read_header(original);
    std::unordered_map<std::string_view, std::uint64_t> begins;
    for (const SafetensorsEntry& entry : header.entries) {
      begins.emplace(entry.info.name, data_begin + entry.begin);
    }
    for (const TensorInfo& info : order_.tensors()) offsets_.push_back(begins.at(info.name));
    append_range(file_, original, 0, original.size());
    original.require_unchanged();
  }
};

}  // namespace

bool is_safetensors(const InputFile& file) {
  const std::vector<std::byte> start = file.read_start(kPrefixBytes + 1);
  return start.size() == kPrefixBytes + 1 && load_little_endian<std::uint64_t>(start) >> 40 == 0 &&
         start.back() == std::byte{'{'};
}

std::unique_ptr<WeightReader> open_safetensors(InputFile file, const ReadOptions&) {
  return std::make_unique<SafetensorsReader>(std::move(file));
}

std::unique_ptr<WeightWriter> create_safetensors(const std::string& path,
                                                 std::vector<TensorInfo> tensors,
                                                 const Metadata& metadata,
                                                 const WriteOptions& options) {
  return std::make_unique<SafetensorsWriter>(path, std::move(tensors), metadata, options);
}

std::unique_ptr<WeightWriter> copy_safetensors(InputFile original, const std::string& path,
                                               std::vector<TensorInfo> tensors, const ReadOptions&,
                                               const WriteOptions& options) {
  return std::make_unique<SafetensorsCopy>(original, path, std::move(tensors), options);
}

}  // namespace pqw
