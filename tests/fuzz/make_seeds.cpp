// Writes the seeds of the fuzz targets: pqw_fuzz_seeds FOLDER. To be run again when a format or a
// codec is new; what is in tests/fuzz/corpus came from here, and corpus/torch from PyTorch 1.13.
#include <filesystem>
#include <fstream>
#include <numeric>

#include "archive/index.h"
#include "codecs/alias.h"
#include "codecs/carried.h"
#include "codecs/cast.h"
#include "codecs/entropy/rans.h"
#include "codecs/record_checks.h"
#include "isolate/wire.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/encode.h"
#include "pqw/formats/weight_file.h"
#include "tests/formats/onnx_building.h"

namespace {

using pqw::DType;
using pqw::Record;
using pqw::TensorInfo;

std::string folder_of(const std::string& root, const std::string& target) {
  const std::string folder = root + "/" + target + "/";
  std::filesystem::create_directories(folder);
  return folder;
}

std::vector<std::byte> counting(const TensorInfo& info) {
  std::vector<std::byte> bytes(pqw::byte_count(info));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i % 120);
  return bytes;
}

void write_weights(const std::string& path, const std::vector<TensorInfo>& tensors,
                   const pqw::Metadata& metadata = {}) {
  const auto writer = pqw::create_weights(path, tensors, metadata, {.overwrite = true});
  for (const TensorInfo& info : tensors) writer->add(counting(info));
  writer->commit();
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

void write_onnx(const std::string& path) {
  onnx::ModelProto model = pqw::test::onnx_model();
  onnx::GraphProto& graph = *model.mutable_graph();
  pqw::test::add_floats(graph, "w", {2, 3});
  pqw::test::add_constant(graph, "c", {2});
  pqw::test::set_int(pqw::test::add_node(graph, "Gemm", {"x", "w", "c"}, "y"), "transB", 1);
  onnx::NodeProto& node = pqw::test::add_node(graph, "If", {"y"}, "z");
  onnx::TensorProto& half = *pqw::test::add_subgraph(node, "then_branch").add_initializer();
  half.set_name("w");
  half.set_data_type(onnx::TensorProto::FLOAT16);
  half.add_dims(1);
  half.add_int32_data(0x3c00);
  write_text(path, model.SerializeAsString());
}

// With entropy-coded codes, codebooks and row scales, in classes of rows.
Record entropy_coded() {
  pqw::PqWeight weight{{{96, 40}, DType::kF32, ""}};
  weight.block_size = 2;
  weight.n_centroids = 48;
  weight.row_scale_type = pqw::RowScales::kLog8;
  weight.row_scales.assign(96, 0.5f);
  for (int i = 0; i < 96; ++i) weight.codebooks.push_back(static_cast<float>(i) / 16);
  for (int i = 0; i < 1920; ++i) {
    weight.codes.push_back(static_cast<std::uint16_t>(i % 96 % 2 * 40 + i % 7 * i % 5));
  }
  return pqw::to_record(weight, "w");
}

// A small tensor of each codec.
std::vector<Record> records() {
  const std::vector<pqw::Settings> settings{
      {{"codec", "pq"}, {"block_size", "3"}, {"centroids", "4"}},
      {{"codec", "int8"}},
      {{"codec", "low_rank"}, {"rank", "2"}},
      {{"codec", "low_rank"}, {"rank", "3"}, {"factors.codec", "int8"}},
      {{"codec", "tensorized"}, {"form", "cp"}, {"rank", "2"}},
      {{"codec", "tensorized"}, {"form", "tucker"}, {"rank", "0.5"}},
      {{"codec", "tensorized"}, {"form", "tt"}, {"rank", "2"}},
      {{"codec", "tensorized"}, {"form", "ttm"}, {"rank", "2"}},
      {{"codec", "pq"},
       {"block_size", "4"},
       {"centroids", "3"},
       {"groups", "2"},
       {"codebook", "f32"}},
      {{"codec", "tcq"}, {"step", "0.5"}},
      {{"codec", "tcq"}, {"step", "0.02"}, {"scales", "none"}, {"means", "on"}},
  };
  std::vector<Record> result;
  for (const pqw::Settings& item : settings) {
    pqw::FloatTensor tensor{{"w", DType::kF32, {6, 9}}, std::vector<float>(54)};
    for (std::size_t i = 0; i < 54; ++i) tensor.values[i] = static_cast<float>(i * i % 17) - 8;
    const pqw::Weight weight = pqw::Encoding(std::move(tensor), pqw::options_from(item)).encode();
    result.push_back(pqw::to_record(weight, "w"));
  }
  const TensorInfo packed{"w", DType::kF4, {6, 9}};
  const TensorInfo unknown{"w", DType::kUnknown, {5}, pqw::UnknownType{"I4", 3}};
  for (const TensorInfo& info : {packed, unknown}) {
    result.push_back(pqw::carried_record(info, counting(info)));
  }
  result.push_back(pqw::alias_record({"w", DType::kF32, {6, 9}}, "w0"));
  result.push_back(
      pqw::cast_record({"w", DType::kF32, {6, 9}}, DType::kF16, std::vector<std::byte>(108)));
  result.push_back(entropy_coded());
  result.push_back(pqw::transposed(result.front(),
                                   {"w", DType::kF32, {9, 6}, {}, {pqw::Kind::kLinear, {1, 0}}}));
  return result;
}

void write_archive(const std::string& path) {
  pqw::ArchiveWriter writer(path, {.overwrite = true, .metadata = {{"key", "value"}}});
  std::size_t i = 0;
  for (Record record : records()) {
    record.info.name += std::to_string(i++);
    writer.add(record);
  }
  const TensorInfo bias{"b", DType::kF16, {5}};
  writer.add_plain(bias, counting(bias));
  writer.commit();
}

void write_index(const std::string& path) {
  pqw::archive::IndexWriter index({{"key", "value"}}, {});
  std::size_t i = 0;
  for (Record record : records()) {
    record.info.name += std::to_string(i++);
    index.add(record);
  }
  index.add_plain({"b", DType::kF16, {5}});
  write_text(path, index.text());
}

void write_records(const std::string& folder) {
  std::size_t i = 0;
  for (const Record& record : records()) {
    pqw::WireWriter out;
    out.record(record);
    const std::vector<std::byte> bytes = out.take();
    std::ofstream(folder + "codec_" + std::to_string(i++), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
}

// 50 symbols of an alphabet in which each symbol is twice as frequent as the one before.
void write_rans(const std::string& path, std::uint16_t n_symbols) {
  std::vector<std::uint64_t> counts(n_symbols);
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = i < 40 ? 1u << (i % 20) : 0;
  pqw::BitWriter table_bits;
  const pqw::RansTable table(pqw::write_frequencies(table_bits, counts));
  const std::vector<std::byte> table_bytes = std::move(table_bits).take();
  pqw::RansEncoder encoder(50);
  while (encoder.symbols_left() > 0) {
    encoder.put(table, encoder.symbols_left() % std::min<std::size_t>(n_symbols, 40));
  }
  const std::vector<std::byte> stream = std::move(encoder).finish();
  const std::uint16_t header[3] = {static_cast<std::uint16_t>(n_symbols - 1), 50,
                                   static_cast<std::uint16_t>(table_bytes.size())};
  std::ofstream out(path, std::ios::binary);
  const auto write = [&](std::span<const std::byte> part) {
    out.write(reinterpret_cast<const char*>(part.data()),
              static_cast<std::streamsize>(part.size()));
  };
  write(std::as_bytes(std::span(header)));
  write(table_bytes);
  write(stream);
}

// Of a type that tensors do not have.
void write_structure(const std::string& path) {
  const std::string literal =
      "{'descr': [('a', '<f4'), ('b', '|S2', (2,))], 'fortran_order': False, 'shape': (1,)}";
  const std::string head{'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<char>(literal.size()),
                         0};
  write_text(path, head + literal + "12345678");
}

// An entry of text, an array, and a tensor of each type that is read.
void write_gguf(const std::string& path) {
  const auto text = [](const std::string& value) {
    return std::string(1, static_cast<char>(value.size())) + std::string(7, '\0') + value;
  };
  const auto number = [](char value, std::size_t n_bytes) {
    return value + std::string(n_bytes - 1, '\0');
  };
  std::string file = "GGUF" + number(3, 4) + number(8, 8) + number(2, 8);
  file += text("name") + number(8, 4) + text("tiny");
  file += text("list") + number(9, 4) + number(8, 4) + number(2, 8) + text("a") + text("b");
  char offset = 0;
  for (const int type : {0, 1, 24, 25, 26, 27, 28, 30}) {
    file += text(std::string("w") + std::to_string(type)) + number(1, 4) + number(2, 8) +
            number(static_cast<char>(type), 4) + number(offset, 8);
    offset = static_cast<char>(offset + 32);  // as a byte: 224 at last
  }
  file.resize((file.size() + 31) / 32 * 32 + 8 * 32);
  write_text(path, file);
}

void write_recipes(const std::string& folder) {
  write_text(folder + "all",
             "defaults: {block_size: auto, centroids: 256}\ninclude: ['weight$']\n"
             "exclude: ['embed']\ntensors:\n  - {pattern: 'conv.*', block_size: 9}\n"
             "  - {pattern: 'head\\.weight', codec: plain}\n");
  write_text(folder + "anchors", "defaults: &d {seed: 1}\ntensors:\n  - pattern: x\n    <<: *d\n");
  write_text(folder + "wrong", "defaults: [1, {2: 3}]\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string root = argv[1];
  const std::vector<TensorInfo> some{{"a/w", DType::kF32, {2, 3}},
                                     {"b", DType::kBF16, {}},
                                     {"c", DType::kBool, {3}},
                                     {"d", DType::kI64, {0, 4}}};
  write_weights(folder_of(root, "safetensors") + "some.safetensors", some, {{"key", "value"}});
  write_weights(folder_of(root, "safetensors") + "none.safetensors", {});
  write_weights(folder_of(root, "safetensors") + "packed.safetensors",
                {{"c", DType::kC64, {2}},
                 {"f", DType::kF4, {2, 3}},
                 {"s", DType::kF6E3M2, {4}},
                 {"u", DType::kUnknown, {5}, pqw::UnknownType{"I4", 3}}});
  write_weights(folder_of(root, "npy") + "matrix.npy", {{"w", DType::kF32, {2, 3}}});
  write_weights(folder_of(root, "npy") + "scalar.npy", {{"w", DType::kU8, {}}});
  write_structure(folder_of(root, "npy") + "structure.npy");
  write_weights(folder_of(root, "npz") + "some.npz", some);
  write_onnx(folder_of(root, "onnx") + "some.onnx");
  write_weights(folder_of(root, "hdf5") + "some.h5", some, {{"key", "value"}});
  write_archive(folder_of(root, "hdf5") + "archive.h5");
  write_index(folder_of(root, "index") + "all");
  write_rans(folder_of(root, "rans") + "few", 20);
  write_rans(folder_of(root, "rans") + "many", 300);
  write_records(folder_of(root, "record"));
  write_recipes(folder_of(root, "recipe"));
  write_gguf(folder_of(root, "gguf") + "some");
  write_text(folder_of(root, "tfjs") + "some",
             R"({"modelTopology": {}, "weightsManifest": [{"paths": ["w.bin"], "weights": [)"
             R"({"name": "a", "shape": [2, 3], "dtype": "float32", "quantization": )"
             R"({"dtype": "uint8", "scale": 0.5, "min": -1}}, )"
             R"({"name": "t", "shape": [1], "dtype": "string"}]}]})");
  write_text(folder_of(root, "shard_index") + "some",
             R"({"metadata": {"total_size": 9}, "weight_map": {"a": "m-1", "b\u00e4": "m-2"}})");
}
