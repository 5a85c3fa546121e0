// Reads the header of a GGUF file.
#include "formats/gguf_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <string_view>
#include <unordered_set>

#include "core/subject.h"
#include "core/utf8.h"
#include "formats/byte_order.h"

namespace pqw {
namespace {

constexpr std::uint64_t kMaxEntries = 1 << 16;
constexpr std::uint64_t kMaxTensors = 1 << 20;
constexpr std::uint64_t kMaxNameBytes = 1 << 16;
constexpr std::uint64_t kMaxTextBytes = 1 << 20;  // of a metadata entry that is kept
constexpr std::uint64_t kMaxAlignment = 1 << 20;
constexpr std::uint32_t kMaxRank = 4;
constexpr int kMaxNesting = 4;  // of arrays

// Types of metadata values: their size in bytes, by number. The rest have no fixed size.
constexpr std::array<std::uint8_t, 13> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr std::uint32_t kUint32 = 4, kText = 8, kArray = 9;

struct TensorType {
  std::uint32_t number;
  std::string_view name;
  DType dtype = DType::kUnknown;  // of those that are read
};

constexpr TensorType kTensorTypes[] = {
    {0, "F32", DType::kF32},
    {1, "F16", DType::kF16},
    {2, "Q4_0"},
    {3, "Q4_1"},
    {6, "Q5_0"},
    {7, "Q5_1"},
    {8, "Q8_0"},
    {9, "Q8_1"},
    {10, "Q2_K"},
    {11, "Q3_K"},
    {12, "Q4_K"},
    {13, "Q5_K"},
    {14, "Q6_K"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {20, "IQ4_NL"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS"},
    {24, "I8", DType::kI8},
    {25, "I16", DType::kI16},
    {26, "I32", DType::kI32},
    {27, "I64", DType::kI64},
    {28, "F64", DType::kF64},
    {29, "IQ1_M"},
    {30, "BF16", DType::kBF16},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {39, "MXFP4"},
};

// Reads a file from its start, a piece at a time.
class Cursor {
 public:
  explicit Cursor(const InputFile& file) : file_(file) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t rest() const { return file_.size() - position_; }

  template <class T>
  T number(const Subject& subject) {
    const std::uint64_t begin = position_;
    skip(sizeof(T), subject);
    if (begin < buffer_begin_ || position_ > buffer_begin_ + buffer_.size()) {
      constexpr std::uint64_t kPiece = 1 << 16;
      buffer_begin_ = begin;
      buffer_ = file_.read(begin, std::min(kPiece, file_.size() - begin));
    }
    return load_little_endian<T>(std::span(buffer_).subspan(begin - buffer_begin_));
  }

  // A length and so many bytes.
  std::string text(std::uint64_t most, const char* what, const Subject& subject) {
    const auto length = number<std::uint64_t>(subject);
    if (length > most) {
      throw subject.error("{} of {} bytes, expected at most {}", what, length, most);
    }
    const std::uint64_t begin = position_;
    skip(length, subject);
    const std::vector<std::byte> bytes = file_.read(begin, length);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void skip(std::uint64_t n_bytes, const Subject& subject) {
    if (n_bytes > rest()) {
      throw subject.error("the file ends at byte {}, within its header", file_.size());
    }
    position_ += n_bytes;
  }

 private:
  const InputFile& file_;
  std::uint64_t position_ = 0;
  std::uint64_t buffer_begin_ = 0;
  std::vector<std::byte> buffer_;
};

class HeaderReader {
 public:
  explicit HeaderReader(const InputFile& file)
      : file_(file), cursor_(file), subject_{file.path()} {}

  GgufHeader read() {
    cursor_.skip(4, subject_);  // the magic
    check_version(cursor_.number<std::uint32_t>(subject_));
    const std::uint64_t n_tensors = count("tensors", kMaxTensors);
    const std::uint64_t n_entries = count("metadata entries", kMaxEntries);
    for (std::uint64_t i = 0; i < n_entries; ++i) read_entry();
    for (std::uint64_t i = 0; i < n_tensors; ++i) read_tensor();
    const std::uint64_t data_begin =
        (cursor_.position() + alignment_ - 1) / alignment_ * alignment_;
    for (GgufTensor& tensor : header_.tensors) place(data_begin, tensor);
    require_no_overlap();
    return std::move(header_);
  }

 private:
  void check_version(std::uint32_t version) const {
    if (version == 2 || version == 3) return;
    const bool is_swapped = version != 0 && (version & 0xffff) == 0;
    throw subject_.error(
        ErrorCode::kUnsupported, "GGUF {}; versions 2 and 3 are read",
        is_swapped ? "of big-endian numbers" : "version " + std::to_string(version));
  }

  std::uint64_t count(const char* what, std::uint64_t most) {
    const auto n = cursor_.number<std::uint64_t>(subject_);
    if (n > most) throw subject_.error("{} {}, expected at most {}", n, what, most);
    return n;
  }

  void read_entry() {
    const std::string key = cursor_.text(kMaxNameBytes, "a key", subject_);
    const Subject subject = subject_.in("metadata", key);
    if (!keys_.insert(key).second) throw subject.error("the key occurs twice");
    const auto type = cursor_.number<std::uint32_t>(subject);
    if (key == "general.alignment") {
      if (type != kUint32) throw subject.error("type {}, expected {} (u32)", type, kUint32);
      alignment_ = cursor_.number<std::uint32_t>(subject);
      if (!std::has_single_bit(alignment_) || alignment_ > kMaxAlignment) {
        throw subject.error("{}, expected a power of two of at most {}", alignment_, kMaxAlignment);
      }
      return;
    }
    if (type == kText) {
      Cursor ahead = cursor_;
      if (ahead.number<std::uint64_t>(subject) <= kMaxTextBytes) {
        std::string text = cursor_.text(kMaxTextBytes, "a text", subject);
        if (is_utf8(key) && is_utf8(text)) {
          header_.metadata.emplace(key, std::move(text));
          return;
        }
        header_.others.push_back(key);
        return;
      }
    }
    skip_value(type, 0, subject);
    header_.others.push_back(key);
  }

  void skip_value(std::uint32_t type, int nesting, const Subject& subject) {
    if (type >= kValueBytes.size()) {
      throw subject.error("type {}, expected 0 to {}", type, kValueBytes.size() - 1);
    }
    if (type == kText) {
      cursor_.skip(cursor_.number<std::uint64_t>(subject), subject);
    } else if (type == kArray) {
      skip_array(nesting, subject);
    } else {
      cursor_.skip(kValueBytes[type], subject);
    }
  }

  // Every text or array takes bytes of the file, so that the loop ends.
  void skip_array(int nesting, const Subject& subject) {
    if (nesting == kMaxNesting)
      throw subject.error("arrays nest deeper than {} levels", kMaxNesting);
    const auto type = cursor_.number<std::uint32_t>(subject);
    const auto n = cursor_.number<std::uint64_t>(subject);
    if (type < kValueBytes.size() && kValueBytes[type] > 0) {
      if (n > cursor_.rest() / kValueBytes[type]) {
        throw subject.error("an array of {} values, the file has {} bytes after it", n,
                            cursor_.rest());
      }
      return cursor_.skip(n * kValueBytes[type], subject);
    }
    for (std::uint64_t i = 0; i < n; ++i) skip_value(type, nesting + 1, subject);
  }

  void read_tensor() {
    const std::string name = cursor_.text(kMaxNameBytes, "the name of a tensor", subject_);
    const Subject subject = subject_.in("tensor", name);
    if (!names_.insert(name).second) throw subject.error("the name occurs twice");
    GgufTensor tensor;
    tensor.info.name = name;
    const auto rank = cursor_.number<std::uint32_t>(subject);
    if (rank > kMaxRank) throw subject.error("{} dimensions, GGUF allows {}", rank, kMaxRank);
    for (std::uint32_t i = 0; i < rank; ++i) {
      tensor.info.shape.push_back(cursor_.number<std::uint64_t>(subject));
    }
    std::ranges::reverse(tensor.info.shape);
    tensor.info.dtype = read_type(subject);
    if (!checked_byte_count(tensor.info)) {
      throw subject.error("shape {} is too large: its sizes exceed 63 bits",
                          to_string(tensor.info.shape));
    }
    tensor.begin = cursor_.number<std::uint64_t>(subject);  // an offset, until `place`
    header_.tensors.push_back(std::move(tensor));
  }

  DType read_type(const Subject& subject) {
    const auto number = cursor_.number<std::uint32_t>(subject);
    const auto* const type = std::ranges::find(kTensorTypes, number, &TensorType::number);
    if (type == std::end(kTensorTypes)) {
      throw subject.error(ErrorCode::kUnsupported, "has the unknown GGUF type {}", number);
    }
    if (type->dtype == DType::kUnknown) {
      throw subject.error(ErrorCode::kUnsupported,
                          "is quantized already, to {}; use the F32, F16 or BF16 file that it was "
                          "made from",
                          type->name);
    }
    return type->dtype;
  }

  void place(std::uint64_t data_begin, GgufTensor& tensor) const {
    const Subject subject = subject_.in("tensor", tensor.info.name);
    if (tensor.begin % alignment_ != 0) {
      throw subject.error("data starts at offset {}, expected a multiple of {}", tensor.begin,
                          alignment_);
    }
    const std::size_t n_bytes = byte_count(tensor.info);
    const std::uint64_t data_bytes = file_.size() - std::min(data_begin, file_.size());
    if (tensor.begin > data_bytes || n_bytes > data_bytes - tensor.begin) {
      throw subject.error("{} bytes at offset {}, the file holds {} bytes of data", n_bytes,
                          tensor.begin, data_bytes);
    }
    tensor.begin += data_begin;
  }

  void require_no_overlap() const {
    std::vector<const GgufTensor*> sorted;
    for (const GgufTensor& tensor : header_.tensors) {
      if (byte_count(tensor.info) > 0) sorted.push_back(&tensor);
    }
    std::ranges::sort(sorted, {}, &GgufTensor::begin);
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      const GgufTensor& before = *sorted[i - 1];
      if (before.begin + byte_count(before.info) <= sorted[i]->begin) continue;
      throw subject_.in("tensor", sorted[i]->info.name)
          .error("shares bytes with '{}'", shown(before.info.name));
    }
  }

  const InputFile& file_;
  Cursor cursor_;
  const Subject subject_;
  GgufHeader header_;
  std::uint64_t alignment_ = 32;
  std::unordered_set<std::string> keys_, names_;
};

}  // namespace

GgufHeader read_gguf_header(const InputFile& file) { return HeaderReader(file).read(); }

}  // namespace pqw
