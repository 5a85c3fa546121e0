// Files to torture.
#include "tests/torture/golden.h"

#include "archive/digest.h"
#include "pqw/archive/archive.h"
#include "pqw/formats/weight_file.h"
#include "tests/archive/samples.h"

namespace pqw::torture {
namespace {

using test::counting_bytes;

void add_plain(ArchiveWriter& writer, const std::string& name, DType dtype, const Shape& shape) {
  const TensorInfo info{name, dtype, shape};
  writer.add_plain(info, counting_bytes(byte_count(info)));
}

Record large_record(const std::string& name) {
  Record record{{name, DType::kBF16, {40, 7, 3, 3}}, "pq", {}, "block_size=9,centroids=16", {}};
  record.sections = {test::section("codebooks", DType::kF32, {1, 16, 9}),
                     test::section("codes", DType::kU8, {4200})};
  return record;
}

void add_tensors(std::size_t kind, ArchiveWriter& writer) {
  switch (kind) {
    case 0:  // small
      writer.add(test::pq_record("encoder/fc1.weight"));
      add_plain(writer, "encoder/fc1.bias", DType::kF32, {64});
      add_plain(writer, "scalar", DType::kF64, {});
      add_plain(writer, "empty", DType::kI32, {3, 0, 2});
      break;
    case 1:  // large
      writer.add(large_record("conv.weight"));
      add_plain(writer, "conv.bias", DType::kF16, {2100});
      break;
    default:  // many of all
      for (int i = 0; i < 6; ++i) {
        Record record = test::pq_record("layers." + std::to_string(i) + ".weight");
        if (i % 2 == 0) record.sections.push_back(test::section("row_scales", DType::kF16, {4}));
        writer.add(record);
        add_plain(writer, "layers." + std::to_string(i) + ".bias", DType::kBF16, {5});
      }
  }
}

template <class... Fields>
void update(archive::Sha256& sum, const Fields&... fields) {
  (sum.update(std::as_bytes(std::span(fields))), ...);
  sum.update({{std::byte{0}}});
}

}  // namespace

std::size_t n_golden_archives() { return 3; }

void write_golden_archive(std::size_t kind, const std::string& path) {
  ArchiveWriterOptions options{.overwrite = true};
  if (kind == 0) options.metadata = {{"format", "pt"}, {"license", "MIT"}};
  ArchiveWriter writer(path, options);
  add_tensors(kind, writer);
  writer.commit();
}

std::string read_everything(const std::string& archive) {
  // In this process, so that a crash is seen as one.
  const ArchiveReader reader(archive, {.trusted = true});
  archive::Sha256 sum;
  for (const auto& [key, value] : reader.metadata()) update(sum, key, value);
  for (std::size_t i = 0; i < reader.entries().size(); ++i) {
    const ArchiveEntry& entry = reader.entries()[i];
    update(sum, entry.info.name, to_string(entry.info.dtype), entry.info.shape, entry.codec,
           entry.options);
    for (const std::string& feature : entry.features) update(sum, feature);
    if (entry.codec == "plain") {
      update(sum, reader.read_plain(i));
      continue;
    }
    for (const Section& section : reader.read(i).sections) {
      update(sum, section.name, to_string(section.dtype), section.shape, section.bytes);
    }
  }
  return archive::to_hex(sum.finish());
}

void write_generation(const std::string& format, const std::string& path, unsigned generation) {
  // As many as make some dozens of system calls; a .npy file holds one.
  const std::size_t n_tensors = format == "npy" ? 1 : 40;
  std::vector<TensorInfo> infos;
  for (std::size_t i = 0; i < n_tensors; ++i) {
    infos.push_back({"tensor." + std::to_string(i), DType::kF32, {1100 + 100 * generation}});
  }
  const std::vector<std::byte> bytes = counting_bytes(byte_count(infos[0]), 1 + generation);
  if (format == "archive") {
    ArchiveWriter writer(path, {.overwrite = true, .metadata = {{"generation", "g"}}});
    writer.add(large_record("w"));
    writer.add(test::pq_record("v"));
    for (const TensorInfo& info : infos) writer.add_plain(info, bytes);
    writer.commit();
    return;
  }
  const auto writer = create_weights(path, infos, {}, {.overwrite = true});
  for (std::size_t i = 0; i < n_tensors; ++i) writer->add(bytes);
  writer->commit();
}

}  // namespace pqw::torture
