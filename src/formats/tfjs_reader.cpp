// Reads the weights of TensorFlow.js models.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/subject.h"
#include "formats/byte_order.h"
#include "formats/formats.h"
#include "formats/json_file.h"
#include "formats/keras_layouts.h"
#include "formats/tfjs_layout.h"
#include "formats/tfjs_manifest.h"

namespace pqw {
namespace {

// Files read as one: each begins where the one before it ends.
class JoinedFiles {
 public:
  void add(InputFile file) {
    ends_.push_back(size() + file.size());
    files_.push_back(std::move(file));
  }

  std::uint64_t size() const { return ends_.empty() ? 0 : ends_.back(); }

  // REQUIRES: the range lies in the files.
  std::vector<std::byte> read(std::uint64_t begin, std::size_t n_bytes) const {
    std::vector<std::byte> bytes(n_bytes);
    auto file = static_cast<std::size_t>(std::ranges::upper_bound(ends_, begin) - ends_.begin());
    for (std::span<std::byte> rest = bytes; !rest.empty(); ++file) {
      const std::uint64_t offset = begin - (ends_[file] - files_[file].size());
      const auto n = static_cast<std::size_t>(
          std::min<std::uint64_t>(rest.size(), files_[file].size() - offset));
      files_[file].read_at(offset, rest.first(n));
      files_[file].require_unchanged();
      rest = rest.subspan(n);
      begin += n;
    }
    return bytes;
  }

 private:
  std::vector<InputFile> files_;
  std::vector<std::uint64_t> ends_;
};

template <class Q, class T, class Value>
void dequantize(std::span<const std::byte> stored, std::span<std::byte> values, Value value) {
  for (std::size_t i = 0; i < stored.size() / sizeof(Q); ++i) {
    const T x = value(load_little_endian<Q>(stored.subspan(i * sizeof(Q))));
    std::memcpy(values.data() + i * sizeof(T), &x, sizeof(T));
  }
}

template <class Q>
void dequantize(std::span<const std::byte> stored, const TfjsWeight& weight,
                std::span<std::byte> values) {
  const double scale = weight.quantization->scale, min = weight.quantization->min;
  if (weight.info.dtype == DType::kF32) {
    return dequantize<Q, float>(stored, values,
                                [&](Q q) { return static_cast<float>(q * scale + min); });
  }
  dequantize<Q, std::int32_t>(stored, values, [&](Q q) {  // rounded as by Math.round
    const double value = std::floor(q * scale + min + 0.5);
    return static_cast<std::int32_t>(std::clamp(value, -2147483648.0, 2147483647.0));
  });
}

class TfjsReader : public WeightReader {
 public:
  explicit TfjsReader(const InputFile& manifest) {
    files_ = {manifest.path()};
    file_bytes_ = manifest.size();
    TfjsManifest read = read_tfjs_manifest(manifest);
    for (TfjsGroup& group : read.groups) add(manifest, group);
    if (!read.keras.empty()) set_keras_layouts(*this, read.keras);
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (places_[i].weight.is_optimizer) tensors_[i].layout = {Kind::kOther};
    }
  }

  std::vector<std::byte> read(std::size_t index) const override {
    const Place& place = places_.at(index);
    const TfjsWeight& weight = place.weight;
    std::vector<std::byte> stored = groups_[place.group].read(place.begin, weight.stored_bytes());
    if (!weight.quantization) return stored;
    std::vector<std::byte> values(byte_count(weight.info));
    if (weight.quantization->dtype == DType::kU8) {
      dequantize<std::uint8_t>(stored, weight, values);
    } else {
      dequantize<std::uint16_t>(stored, weight, values);
    }
    return values;
  }

 private:
  struct Place {
    TfjsWeight weight;
    std::size_t group = 0;
    std::uint64_t begin = 0;
  };

  void add(const InputFile& manifest, TfjsGroup& group) {
    JoinedFiles files;
    for (const std::string& name : group.files) {
      InputFile file(sibling_of(manifest, name));
      files_.push_back(file.path());
      file_bytes_ += file.size();
      files.add(std::move(file));
    }
    std::uint64_t begin = 0;
    for (TfjsWeight& weight : group.weights) {
      const Subject subject = Subject{manifest.path()}.in("tensor", weight.info.name);
      const std::uint64_t end = weight.is_text ? end_of_texts(files, begin, weight, subject)
                                               : begin + weight.stored_bytes();
      if (end > files.size()) {
        throw subject.error("{} bytes from byte {} of its files, which hold {}", end - begin, begin,
                            files.size());
      }
      if (weight.is_text) {
        skipped_.push_back({weight.info.name, "holds text"});
      } else {
        weight.info.layout = tfjs_layout(weight.info);
        tensors_.push_back(weight.info);
        places_.push_back({std::move(weight), groups_.size(), begin});
      }
      begin = end;
    }
    if (begin != files.size()) {
      throw Subject{manifest.path()}.error(
          "the weights of a group take {} bytes, its files hold {}", begin, files.size());
    }
    groups_.push_back(std::move(files));
  }

  static std::uint64_t end_of_texts(const JoinedFiles& files, std::uint64_t begin,
                                    const TfjsWeight& weight, const Subject& subject) {
    constexpr std::size_t kMaxTexts = 1 << 20;
    constexpr std::size_t kLength = sizeof(std::uint32_t);
    const std::size_t n_texts = element_count(weight.info.shape);
    if (n_texts > kMaxTexts)
      throw subject.error("{} texts, expected at most {}", n_texts, kMaxTexts);
    for (std::size_t i = 0; i < n_texts; ++i) {
      if (files.size() - begin < kLength) throw subject.error("its texts end beyond its files");
      begin += kLength + load_little_endian<std::uint32_t>(files.read(begin, kLength));
      if (begin > files.size()) throw subject.error("its texts end beyond its files");
    }
    return begin;
  }

  std::vector<JoinedFiles> groups_;
  std::vector<Place> places_;
};

}  // namespace

bool is_tfjs(const InputFile& file) { return is_json_with(file, "\"weightsManifest\""); }

std::unique_ptr<WeightReader> open_tfjs(InputFile file, const ReadOptions&) {
  return std::make_unique<TfjsReader>(file);
}

}  // namespace pqw
