// Exports an archive as a model in the layout of AQLM.
#include "pqw/pipeline/export_aqlm.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "core/bit_packing.h"
#include "core/subject.h"
#include "formats/aqlm_config.h"
#include "formats/model_folder.h"
#include "io/different_files.h"
#include "io/input_file.h"
#include "model/archive_tensors.h"
#include "pqw/core/convert.h"
#include "pqw/io/atomic_file.h"
#include "pqw/pipeline/decode.h"

namespace pqw {
namespace {

constexpr std::string_view kWeight = "weight";
constexpr unsigned kLeastBits = 8;  // kernels of AQLM are for 8 bits and more

// A tensor whose codes are written, as far as the list of tensors needs it.
struct Coded {
  std::size_t rows, cols;
  std::size_t block_size, n_centroids, n_additive;
  DType dtype;  // of codebook and scales
};

// Empty for a weight that needs several groups of positions or padded blocks.
std::optional<Coded> coded_of(const PqWeight& weight) {
  const std::size_t d = weight.block_size;
  if (weight.n_groups != 1 || weight.rows() == 0 || weight.cols() == 0 || weight.cols() % d != 0) {
    return std::nullopt;
  }
  const bool is_half = weight.codebook_dtype == DType::kF16 &&
                       std::ranges::all_of(weight.row_scales, is_exact_in_f16);
  return Coded{weight.rows(),      weight.cols(),     d,
               weight.n_centroids, weight.n_additive, is_half ? DType::kF16 : DType::kF32};
}

// [rows][positions][n_additive], little-endian. The upper half of the codes is negative.
template <class T>
std::vector<std::byte> code_bytes(const PqWeight& weight, unsigned bits) {
  const std::size_t rows = weight.rows(), positions = weight.positions();
  std::vector<T> codes(weight.codes.size());
  const std::size_t row_codes = weight.n_additive * positions;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < row_codes; ++i) {
      const std::size_t book = i % weight.n_additive, position = i / weight.n_additive;
      const int code = weight.codes[(book * positions + position) * rows + r];
      codes[r * row_codes + i] = static_cast<T>(code < 1 << (bits - 1) ? code : code - (1 << bits));
    }
  }
  const auto bytes = std::as_bytes(std::span(codes));
  return {bytes.begin(), bytes.end()};
}

// [n_additive][n_centroids][block_size]. Centroids that no code names are zeros.
std::vector<float> padded_codebooks(const PqWeight& weight, std::size_t n_centroids) {
  const std::size_t own = weight.n_centroids * weight.block_size;
  std::vector<float> padded(weight.n_additive * n_centroids * weight.block_size);
  for (std::size_t book = 0; book < weight.n_additive; ++book) {
    std::copy_n(&weight.codebooks[book * own], own,
                &padded[book * n_centroids * weight.block_size]);
  }
  return padded;
}

std::vector<std::byte> float_bytes(std::span<const float> values, DType dtype) {
  std::vector<std::byte> bytes(values.size() * size_in_bytes(dtype));
  from_float(values, dtype, bytes);
  return bytes;
}

class AqlmExport {
 public:
  explicit AqlmExport(const DecodedArchive& archive)
      : decoded_(archive), archive_(archive.archive()) {
    for (std::size_t i = 0; i < archive_.entries().size(); ++i) look_at(i);
    choose_form();
    for (const auto& [index, coded] : coded_) {
      bits_ = std::max(bits_, bits_for(coded.n_centroids));
    }
  }

  AqlmConfig config() const {
    AqlmConfig config{block_size_, n_additive_, bits_, {}};
    for (std::size_t i = 0; i < decoded_.tensors().size(); ++i) {
      if (!coded_.contains(i)) config.plain.push_back(decoded_.tensors()[i].name);
    }
    return config;
  }

  void write(const std::string& path, const WriteOptions& options) const {
    Metadata metadata = decoded_.metadata();
    metadata.emplace("format", "pt");  // transformers refuses files without it
    const auto writer = create_weights(path, infos(), metadata, options);
    for (std::size_t i = 0; i < decoded_.tensors().size(); ++i) {
      if (const auto coded = coded_.find(i); coded != coded_.end()) {
        add(weight(i), coded->second, *writer);
      } else {
        writer->add(decoded_.read(i));
      }
    }
    writer->commit();
  }

  std::vector<AqlmTensor> tensors() const {
    std::vector<AqlmTensor> tensors;
    for (std::size_t i = 0; i < decoded_.tensors().size(); ++i) {
      tensors.push_back(
          {decoded_.tensors()[i].name, archive_.entries()[i].codec, coded_.contains(i)});
    }
    return tensors;
  }

 private:
  PqWeight weight(std::size_t index) const {
    return std::get<PqWeight>(read_compressed(archive_, stored_index(archive_, index)));
  }

  // AQLM replaces linear layers only.
  void look_at(std::size_t index) {
    const TensorInfo& info = decoded_.tensors()[index];
    const bool is_linear = info.shape.size() == 2 && info.name.ends_with(".weight") &&
                           info.layout.kind != Kind::kEmbedding && info.layout.axes.empty();
    const auto& stored = archive_.entries()[stored_index(archive_, index)];
    if (!is_linear || stored.codec != PqCodec::kName) return;
    if (const auto coded = coded_of(weight(index))) coded_.emplace(index, *coded);
  }

  // A model has one block size and one number of codebooks: the pair of most of its weights.
  void choose_form() {
    const auto form_of = [](const Coded& coded) {
      return std::pair(coded.block_size, coded.n_additive);
    };
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> n_weights;
    for (const auto& [index, coded] : coded_) n_weights[form_of(coded)] += coded.rows * coded.cols;
    if (n_weights.empty()) {
      throw Subject{archive_.path()}.error(
          ErrorCode::kUnsupported,
          "no tensor can be written as codes of AQLM: expected matrices NAME.weight of codec pq "
          "with groups=1 and a block size that divides their columns");
    }
    const auto most = std::ranges::max_element(n_weights, {}, [](const auto& item) {
                        return item.second;
                      })->first;
    std::tie(block_size_, n_additive_) = most;
    std::erase_if(coded_, [&](const auto& item) { return form_of(item.second) != most; });
  }

  std::vector<TensorInfo> infos() const {
    std::vector<TensorInfo> infos;
    for (std::size_t i = 0; i < decoded_.tensors().size(); ++i) {
      const TensorInfo& info = decoded_.tensors()[i];
      const auto found = coded_.find(i);
      if (found == coded_.end()) {
        infos.push_back(info);
        continue;
      }
      const Coded& coded = found->second;
      const std::string stem = info.name.substr(0, info.name.size() - kWeight.size());
      infos.push_back({stem + "codes",
                       bits_ > 8 ? DType::kI16 : DType::kI8,
                       {coded.rows, coded.cols / block_size_, n_additive_}});
      infos.push_back(
          {stem + "codebooks", coded.dtype, {n_additive_, n_centroids(), 1, block_size_}});
      infos.push_back({stem + "scales", coded.dtype, {coded.rows, 1, 1, 1}});
    }
    return infos;
  }

  std::size_t n_centroids() const { return std::size_t{1} << bits_; }

  void add(const PqWeight& weight, const Coded& coded, WeightWriter& writer) const {
    writer.add(bits_ > 8 ? code_bytes<std::int16_t>(weight, bits_)
                         : code_bytes<std::int8_t>(weight, bits_));
    writer.add(float_bytes(padded_codebooks(weight, n_centroids()), coded.dtype));
    const std::vector<float> ones(coded.rows, 1);
    writer.add(float_bytes(weight.row_scales.empty() ? ones : weight.row_scales, coded.dtype));
  }

  const DecodedArchive& decoded_;
  const ArchiveReader& archive_;
  std::map<std::size_t, Coded> coded_;  // by the index of the tensor
  std::size_t block_size_ = 0, n_additive_ = 1;
  unsigned bits_ = kLeastBits;
};

// The text of a file that may not exist.
std::string text_of(const std::string& path) {
  constexpr std::uint64_t kMostBytes = std::uint64_t{16} << 20;
  if (!std::filesystem::exists(path)) return "";
  const InputFile file(path);
  if (file.size() > kMostBytes) {
    throw Subject{path}.error("{} bytes, expected at most {}", file.size(), kMostBytes);
  }
  const std::vector<std::byte> bytes = file.read(0, file.size());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A folder that is made if it does not exist, and removed again if nothing was written to it.
class Folder {
 public:
  explicit Folder(const std::string& path) : path_(path) {
    std::error_code error;
    is_new_ = std::filesystem::create_directory(path_, error);
    if (std::filesystem::is_directory(path_)) return;
    throw Subject{path_}.error(ErrorCode::kIo, "cannot make the folder: {}",
                               error ? error.message() : "a file has its name");
  }
  ~Folder() {
    std::error_code ignored;
    if (is_new_) std::filesystem::remove(path_, ignored);  // only if it is empty
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path_of(const char* name) const { return (path_ / name).string(); }

 private:
  const std::filesystem::path path_;
  bool is_new_ = false;
};

}  // namespace

AqlmReport export_aqlm(const std::string& archive, const std::string& output, bool overwrite,
                       const ReadOptions& options) {
  require_archive(archive);
  const DecodedArchive decoded(archive, options);
  const AqlmExport model(decoded);
  const Folder folder(output);
  const std::string weights_path = folder.path_of("model.safetensors");
  const std::string config_path = folder.path_of("config.json");
  require_different_files(std::array{archive_file(archive)}, weights_path);
  if (is_folder(archive)) require_different_files(sidecars_in(archive), config_path);
  const AqlmConfig settings = model.config();
  AtomicFile config(config_path, {.overwrite = overwrite});
  const std::string text = aqlm_config_text(settings, config_path, text_of(config_path));
  config.write(std::as_bytes(std::span(text)));
  model.write(weights_path, {.overwrite = overwrite});
  config.commit();
  AqlmReport report;
  report.tensors = model.tensors();
  report.block_size = settings.block_size;
  report.bits = settings.bits;
  report.archive_bytes = decoded.archive().file_bytes();
  report.output_bytes = std::filesystem::file_size(weights_path) + text.size();
  return report;
}

}  // namespace pqw
