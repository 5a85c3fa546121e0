// Numbers and texts as bytes between processes.
#include "isolate/wire.h"

#include <cassert>
#include <cstring>

namespace pqw {
namespace {

constexpr std::uint64_t kMaxRank = 32;  // of HDF5

constexpr std::size_t kLeastTensorBytes = 5 * sizeof(std::uint64_t);

}  // namespace

void WireWriter::number(std::uint64_t value) {
  const std::size_t at = bytes_.size();
  bytes_.resize(at + sizeof(value));
  std::memcpy(bytes_.data() + at, &value, sizeof(value));
}

void WireWriter::text(std::string_view value) {
  number(value.size());
  bytes(std::as_bytes(std::span(value)));
}

void WireWriter::bytes(std::span<const std::byte> value) {
  bytes_.insert(bytes_.end(), value.begin(), value.end());
}

void WireWriter::tensor(const TensorInfo& info) {
  assert(is_basic(info.dtype));
  text(info.name);
  number(static_cast<std::uint64_t>(info.dtype));
  number(info.shape.size());
  for (const std::size_t dim : info.shape) number(dim);
  number(static_cast<std::uint64_t>(info.layout.kind));
  number(info.layout.axes.size());
  for (const std::size_t axis : info.layout.axes) number(axis);
}

void WireWriter::record(const Record& record) {
  tensor(record.info);
  text(record.codec);
  number(record.features.size());
  for (const std::string& feature : record.features) text(feature);
  text(record.options);
  number(record.sections.size());
  for (const Section& section : record.sections) {
    tensor({section.name, section.dtype, section.shape});
    bytes(section.bytes);
  }
  number(record.parts.size());
  for (const Record& part : record.parts) this->record(part);
}

void WireWriter::texts(const std::map<std::string, std::string>& texts) {
  number(texts.size());
  for (const auto& [key, value] : texts) {
    text(key);
    text(value);
  }
}

Record WireReader::record(std::size_t most_levels) {
  require(most_levels > 0);
  Record record;
  record.info = tensor();
  record.codec = text();
  for (std::size_t n = count(sizeof(std::uint64_t)); n > 0; --n) record.features.push_back(text());
  record.options = text();
  for (std::size_t n = count(kLeastTensorBytes); n > 0; --n) {
    const TensorInfo info = tensor();
    const auto data = bytes(byte_count(info));
    record.sections.push_back({info.name, info.dtype, info.shape, {data.begin(), data.end()}});
  }
  for (std::size_t n = count(kLeastTensorBytes); n > 0; --n) {
    record.parts.push_back(this->record(most_levels - 1));
  }
  return record;
}

std::uint64_t WireReader::number() {
  std::uint64_t value = 0;
  require(rest_.size() >= sizeof(value));
  std::memcpy(&value, rest_.data(), sizeof(value));
  rest_ = rest_.subspan(sizeof(value));
  return value;
}

std::string WireReader::text() {
  const std::size_t size = count(1);
  std::string value(reinterpret_cast<const char*>(rest_.data()), size);
  rest_ = rest_.subspan(size);
  return value;
}

std::map<std::string, std::string> WireReader::texts() {
  std::map<std::string, std::string> texts;
  for (std::size_t n = count(2 * sizeof(std::uint64_t)); n > 0; --n) {
    std::string key = text();
    texts[std::move(key)] = text();
  }
  return texts;
}

TensorInfo WireReader::tensor() {
  TensorInfo info;
  info.name = text();
  const std::uint64_t dtype = number();
  require(dtype <= static_cast<std::uint64_t>(DType::kBool));  // is_basic
  info.dtype = static_cast<DType>(dtype);
  const std::size_t rank = count(sizeof(std::uint64_t));
  require(rank <= kMaxRank);
  for (std::size_t i = 0; i < rank; ++i) info.shape.push_back(number());
  require(checked_byte_count(info.shape, info.dtype).has_value());
  const std::uint64_t kind = number();
  require(kind <= static_cast<std::uint64_t>(Kind::kOther));
  info.layout.kind = static_cast<Kind>(kind);
  const std::size_t n_axes = count(sizeof(std::uint64_t));
  require(n_axes == 0 || n_axes == rank);
  for (std::size_t i = 0; i < n_axes; ++i) info.layout.axes.push_back(number());
  require(n_axes == 0 || is_permutation(info.layout.axes, rank));
  return info;
}

std::span<const std::byte> WireReader::bytes(std::size_t n_bytes) {
  require(n_bytes <= rest_.size());
  const auto value = rest_.first(n_bytes);
  rest_ = rest_.subspan(n_bytes);
  return value;
}

std::size_t WireReader::count(std::size_t least_bytes) {
  const std::uint64_t value = number();
  require(value <= rest_.size() / least_bytes);
  return value;
}

void WireReader::require(bool ok) const {
  if (!ok) throw subject_.error("a malformed answer");
}

void WireReader::finish() const { require(rest_.empty()); }

}  // namespace pqw
