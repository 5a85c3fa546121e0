// Imports weights that other programs product-quantized into archives.
#include "pqw/pipeline/import.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "archive/digest.h"
#include "codecs/alias.h"
#include "codecs/carried.h"
#include "codecs/record_checks.h"
#include "core/subject.h"
#include "formats/layout_names.h"
#include "io/different_files.h"
#include "model/archive_tensors.h"
#include "pipeline/checks.h"
#include "pipeline/pq_reference.h"

namespace pqw {
namespace {

constexpr std::string_view kWeight = "weight";

// A tensor of the archive: a weight that is imported, or a tensor as it is.
struct Item {
  TensorInfo info;
  std::size_t tensor = 0;                  // in the input; of a weight its codes
  const PqReference* reference = nullptr;  // null: as it is
  std::string note = {};
};

const TensorInfo* find(std::span<const TensorInfo> tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &TensorInfo::name);
  return found == tensors.end() ? nullptr : &*found;
}

class Planner {
 public:
  Planner(const std::string& path, std::span<const TensorInfo> tensors,
          std::span<const PqReference> references, std::span<const TensorInfo> originals,
          const ImportOptions& options)
      : path_(path),
        tensors_(tensors),
        references_(references),
        originals_(originals),
        options_(options) {}

  std::vector<Item> run() const {
    require_known_names();
    std::vector<const PqReference*> owner(tensors_.size(), nullptr);
    for (const PqReference& reference : references_) {
      owner[reference.codes] = owner[reference.centroids] = &reference;
      if (reference.scales) owner[*reference.scales] = &reference;
      if (reference.counts) owner[*reference.counts] = &reference;
    }
    std::vector<Item> items;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (owner[i] == nullptr) items.push_back(as_it_is(i));
      if (owner[i] != nullptr && owner[i]->codes == i) items.push_back(imported(*owner[i]));
    }
    require_different_names(items);
    add_kinds(items);
    return items;
  }

 private:
  void require_known_names() const {
    Words names;
    for (const PqReference& reference : references_) names.push_back(reference.weight);
    if (names.empty()) {
      throw Subject{path_}.error(
          ErrorCode::kInvalidArgument,
          "holds no codes: expected tensors NAME.assignments and NAME.centroids (kill-the-bits, "
          "iPQ of fairseq), or NAME.codes, NAME.codebooks and NAME.scales (AQLM); pqw quantize "
          "compresses files of full weights");
    }
    for (const auto& [name, shape] : options_.shapes) {
      if (std::ranges::find(names, name) != names.end()) continue;
      throw Subject{path_}.error(ErrorCode::kInvalidArgument,
                                 "a shape is given for '{}', but the file has no codes of it{}",
                                 shown(name), did_you_mean(name, names));
    }
  }

  // kill-the-bits stores the bias of the layer NAME as NAME_bias.bias.
  Item as_it_is(std::size_t index) const {
    Item item{tensors_[index], index};
    constexpr std::string_view kTheirs = "_bias.bias";
    if (!item.info.name.ends_with(kTheirs)) return item;
    const std::string stem = item.info.name.substr(0, item.info.name.size() - kTheirs.size()) + ".";
    const bool is_bias = std::ranges::any_of(references_, [&](const PqReference& reference) {
      return reference.weight == stem + std::string(kWeight);
    });
    if (is_bias && find(tensors_, stem + "bias") == nullptr) {
      item.note = fmt::format("'{}' in the input", item.info.name);
      item.info.name = stem + "bias";
    }
    return item;
  }

  Item imported(const PqReference& reference) const {
    Item item{{reference.weight, tensors_[reference.centroids].dtype, {}},
              reference.codes,
              &reference,
              reference.layout == PqLayout::kAqlm ? "imported: AQLM" : "imported: iPQ"};
    const TensorInfo* const original = find(originals_, reference.weight);
    if (original != nullptr && is_compressible(original->dtype)) item.info.dtype = original->dtype;
    if (original != nullptr) item.info.layout.kind = original->layout.kind;
    const auto given = options_.shapes.find(reference.weight);
    if (given != options_.shapes.end()) {
      item.info.shape = given->second;
    } else if (original != nullptr) {
      item.info.shape = original->shape;
    } else if (reference.rows != 0) {
      item.info.shape = {reference.rows,
                         reference.n_blocks / reference.rows * reference.block_size};
    } else {
      item.info.shape = shape_by_bias(reference);
      item.note += "; shape by its bias, as of a linear layer";
    }
    require_shape(path_, reference, item.info.shape);
    return item;
  }

  Shape shape_by_bias(const PqReference& reference) const {
    const std::string stem = reference.weight.substr(0, reference.weight.size() - kWeight.size());
    const TensorInfo* const bias = find(tensors_, stem + "bias");
    const bool fits = bias != nullptr && bias->shape.size() == 1 && bias->shape[0] != 0 &&
                      reference.n_blocks % bias->shape[0] == 0;
    if (fits) return {bias->shape[0], reference.n_blocks / bias->shape[0] * reference.block_size};
    throw Subject{path_, ErrorCode::kInvalidArgument}
        .in("tensor", reference.weight)
        .error(
            "{} its shape ({} codes of {} weights); give the original as a template (--template "
            "ORIGINAL), or the shape (--shape '{}=[OUT,IN,...]')",
            originals_.empty() ? "the file does not tell"
                               : "neither the file nor the template tells",
            reference.n_blocks, reference.block_size, shown(reference.weight));
  }

  // Rows and columns of codes are those of the file: [out, in, kernel...], whatever names say.
  static void add_kinds(std::span<Item> items) {
    std::vector<TensorInfo> infos;
    for (const Item& item : items) infos.push_back(item.info);
    const std::vector<Layout> layouts = layouts_by_name(infos);
    for (std::size_t i = 0; i < items.size(); ++i) {
      Kind& kind = items[i].info.layout.kind;
      if (items[i].reference != nullptr && kind == Kind::kUnknown) kind = layouts[i].kind;
    }
  }

  void require_different_names(std::span<const Item> items) const {
    std::set<std::string_view> names;
    for (const Item& item : items) {
      if (names.insert(item.info.name).second) continue;
      throw Subject{path_}
          .in("tensor", item.info.name)
          .error("the file has both the tensor and codes of it, expected one of them");
    }
  }

  const std::string& path_;
  std::span<const TensorInfo> tensors_;
  std::span<const PqReference> references_;
  std::span<const TensorInfo> originals_;
  const ImportOptions& options_;
};

// Writes the tensors one at a time.
class Store {
 public:
  Store(const std::string& path, const WeightReader& reader, const std::string& output,
        bool overwrite)
      : path_(path),
        reader_(reader),
        writer_(output, {.overwrite = overwrite, .metadata = reader.metadata()}) {}

  TensorReport add(const Item& item) {
    TensorReport report;
    report.info = item.info;
    report.note = item.note;
    item.reference == nullptr ? add_as_it_is(item, report) : add_weight(item, report);
    return report;
  }

  std::uint64_t commit() { return writer_.commit(); }

 private:
  // Whether an equal tensor is in the archive; then the tensor is stored as its alias, unless the
  // alias would take more space. `form` tells apart contents of equal bytes.
  bool add_alias(const Item& item, const std::string& form, std::span<const std::byte> bytes,
                 TensorReport& report) {
    constexpr std::size_t kAliasOverheadBytes = 64, kLongestTarget = 128;
    const std::string& name = item.info.name;
    if (name.size() > kLongestTarget || byte_count(item.info) < kAliasOverheadBytes + name.size()) {
      return false;
    }
    const std::string key =
        fmt::format("{} {} {} {}", form, dtype_name(item.info), to_string(item.info.shape),
                    archive::to_hex(archive::sha256(bytes)));
    const auto [first, is_new] = targets_.try_emplace(key, name);
    if (is_new) return false;
    writer_.add(alias_record(item.info, first->second));
    report.codec = kAliasCodec;
    report.note = same_as(first->second);
    report.bytes = first->second.size();
    report.exact = item.reference == nullptr;
    return true;
  }

  void add_as_it_is(const Item& item, TensorReport& report) {
    const std::vector<std::byte> bytes = reader_.read(item.tensor);
    if (add_alias(item, "plain", bytes, report)) return;
    report.bytes = byte_count(item.info);
    report.n_parameters = element_count(item.info.shape);
    if (is_basic(item.info.dtype)) return writer_.add_plain(item.info, bytes);
    report.codec = kCarriedCodec;
    report.exact = true;
    writer_.add(carried_record(item.info, bytes));
  }

  void add_weight(const Item& item, TensorReport& report) {
    const PqReference& reference = *item.reference;
    const std::vector<std::byte> codes = reader_.read(reference.codes),
                                 centroids = reader_.read(reference.centroids),
                                 scales = reference.scales ? reader_.read(*reference.scales)
                                                           : std::vector<std::byte>();
    const PqWeight weight =
        pq_from_reference(path_, reference, reader_.tensors(), {codes, centroids, scales},
                          item.info.shape, item.info.dtype);
    const Record record = transposed(PqCodec::to_record(weight, item.info.name), item.info);
    std::string form;
    std::vector<std::byte> all;
    for (const Section& section : record.sections) {
      form += fmt::format("{} {} ", to_string(section.dtype), to_string(section.shape));
      all.insert(all.end(), section.bytes.begin(), section.bytes.end());
    }
    if (add_alias(item, form, all, report)) return;
    report.codec = PqCodec::kName;
    report.bytes = data_bytes(record);
    describe(Weight(weight), report);
    writer_.add(record);
  }

  const std::string& path_;
  const WeightReader& reader_;
  ArchiveWriter writer_;
  std::map<std::string, std::string> targets_;  // names of stored tensors, by what they hold
};

// The statistics that layers which look like batch normalisation lack.
std::vector<std::string> missing_statistics(std::span<const Item> items) {
  std::map<std::string_view, const TensorInfo*> infos;
  for (const Item& item : items) infos.emplace(item.info.name, &item.info);
  const auto is_vector = [&](const std::string& name) {
    const auto found = infos.find(name);
    return found != infos.end() && found->second->shape.size() == 1;
  };
  std::vector<std::string> missing;
  bool has_convolutions = false;
  for (const Item& item : items) {
    const std::string& name = item.info.name;
    has_convolutions |= item.info.shape.size() > 2;
    if (!name.ends_with(".weight") || !is_vector(name)) continue;
    const std::string stem = name.substr(0, name.size() - kWeight.size());
    if (!is_vector(stem + "bias")) continue;
    for (const char* const statistic : {"running_mean", "running_var"}) {
      if (!infos.contains(stem + statistic)) missing.push_back(stem + statistic);
    }
  }
  if (!has_convolutions) missing.clear();
  return missing;
}

std::vector<std::string> missing_tensors(std::span<const Item> items,
                                         std::span<const TensorInfo> originals) {
  std::set<std::string_view> names;
  for (const Item& item : items) names.insert(item.info.name);
  std::vector<std::string> missing;
  for (const TensorInfo& info : originals) {
    if (!names.contains(info.name)) missing.push_back(info.name);
  }
  return missing;
}

}  // namespace

Imported import_weights(const std::string& input, const std::string& output,
                        const ImportOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const std::array<std::string, 2> inputs = {input, options.original};
  require_different_files(inputs, output);
  require_archive_extension(output);
  if (is_archive(input)) {
    throw Subject{input}.error(ErrorCode::kInvalidArgument, "is a pqw archive already");
  }
  const std::unique_ptr<WeightReader> reader = open_weights(input, options.reading);
  require_different_files(reader->files(), output);
  require_all(input, *reader, options.skip_unsupported);
  std::vector<TensorInfo> originals;
  if (!options.original.empty()) {
    const auto original = open_decoded(options.original, options.reading);
    require_different_files(original->files(), output);
    originals = original->tensors();
  }
  const auto references = find_pq_references(input, reader->tensors());
  const std::vector<Item> items =
      Planner(input, reader->tensors(), references, originals, options).run();
  Store store(input, *reader, output, options.overwrite);
  Imported imported;
  for (const Item& item : items) imported.report.tensors.push_back(store.add(item));
  imported.report.file_bytes = store.commit();
  imported.report.skipped = reader->skipped();
  imported.missing =
      options.original.empty() ? missing_statistics(items) : missing_tensors(items, originals);
  imported.report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return imported;
}

}  // namespace pqw
