// PyTorch files: tensors, their names, and what is left out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/formats/file_testing.h"
#include "tests/support/pickle_building.h"

namespace pqw {
namespace {

using test::little_endian;
using test::PickledTensor;
using test::py_call;
using test::py_dict;
using test::py_global;
using test::py_int;
using test::py_list;
using test::py_ordered_dict;
using test::py_text;
using test::py_tuple;
using test::read_all;
using test::skipped_in;
using test::TempDir;
using test::Tensor;
using test::torch_legacy;
using test::torch_zip;
using test::TorchStorages;
using test::u64;
using test::whole_tensor;
using testing::ElementsAre;
using testing::IsEmpty;

const std::string kSix = little_endian<float>({1, 2, 3, 4, 5, 6});

class TorchTest : public testing::Test {
 protected:
  const std::string& write(const std::string& content) {
    test::set_content(path_, content);
    return path_;
  }
  std::vector<Tensor> read(const std::string& content) { return read_all(write(content)); }
  std::vector<std::string> names(const std::string& object) {
    std::vector<std::string> all;
    for (const Tensor& tensor : read(torch_zip(object, {{"0", kSix}}))) {
      all.push_back(tensor.info.name);
    }
    return all;
  }
  std::vector<std::string> skipped(const std::string& object) {
    return skipped_in(*open_weights(write(torch_zip(object, {{"0", kSix}}))));
  }

  const TempDir dir_;
  const std::string path_ = dir_ / "model.pt";
  const std::string w_ = whole_tensor("0", {2, 3}).value();
};

TEST_F(TorchTest, ReadsAStateDict) {
  const std::string object =
      py_ordered_dict({{"fc.weight", w_}, {"fc.bias", whole_tensor("1", {2}, "Half").value()}});
  const Tensor weight{{"fc.weight", DType::kF32, {2, 3}}, kSix};
  const Tensor bias{{"fc.bias", DType::kF16, {2}}, "abcd"};
  EXPECT_THAT(read(torch_zip(object, {{"0", kSix}, {"1", "abcd"}})), ElementsAre(weight, bias));
}

TEST_F(TorchTest, ReadsTheFormatBefore16) {
  PickledTensor half = whole_tensor("9", {2}, "Half");
  half.more_of_id = {test::kPyNone};
  const std::string object = py_ordered_dict({{"fc.bias", half.value()}, {"fc.weight", w_}});
  const Tensor weight{{"fc.weight", DType::kF32, {2, 3}}, kSix};
  const Tensor bias{{"fc.bias", DType::kF16, {2}}, "abcd"};
  EXPECT_THAT(read(torch_legacy(object, {{"0", u64(6) + kSix}, {"9", u64(2) + "abcd"}})),
              ElementsAre(bias, weight));
}

TEST_F(TorchTest, ReadsEveryType) {
  const std::pair<const char*, DType> types[] = {
      {"Half", DType::kF16},   {"BFloat16", DType::kBF16},   {"Float", DType::kF32},
      {"Double", DType::kF64}, {"Char", DType::kI8},         {"Byte", DType::kU8},
      {"Short", DType::kI16},  {"Int", DType::kI32},         {"Long", DType::kI64},
      {"Bool", DType::kBool},  {"ComplexFloat", DType::kC64}};
  for (const auto& [name, dtype] : types) {
    const std::string bytes(3 * size_in_bytes(dtype), '\1');
    const Tensor expected{{"w", dtype, {3}}, bytes};
    EXPECT_THAT(
        read(torch_zip(py_dict({{"w", whole_tensor("0", {3}, name).value()}}), {{"0", bytes}})),
        ElementsAre(expected));
  }
}

TEST_F(TorchTest, CarriesTypesThatOtherFormatsDoNotHave) {
  const std::string bytes(32, '\1');
  const Tensor expected{{"w", DType::kUnknown, {2}, UnknownType{"C128", 32}}, bytes};
  EXPECT_THAT(read(torch_zip(py_dict({{"w", whole_tensor("0", {2}, "ComplexDouble").value()}}),
                             {{"0", bytes}})),
              ElementsAre(expected));
}

TEST_F(TorchTest, ReadsTypesOfUntypedStorages) {
  PickledTensor tensor = whole_tensor("0", {3}, "Untyped");
  const std::pair<const char*, DType> types[] = {
      {"float8_e4m3fn", DType::kF8E4M3}, {"float8_e5m2", DType::kF8E5M2}, {"uint16", DType::kU16}};
  for (const auto& [name, dtype] : types) {
    const std::string bytes(3 * size_in_bytes(dtype), '\1');
    tensor.n_stored = static_cast<std::int64_t>(bytes.size());
    auto arguments = tensor.arguments();
    arguments.push_back(py_global("torch", name));
    const Tensor expected{{"w", dtype, {3}}, bytes};
    EXPECT_THAT(
        read(torch_zip(
            py_dict({{"w", py_call(py_global("torch._utils", "_rebuild_tensor_v3"), arguments)}}),
            {{"0", bytes}})),
        ElementsAre(expected));
  }
}

TEST_F(TorchTest, ReadsParametersAndTensorsWithAttributes) {
  const auto rebuild = [](const char* function) { return py_global("torch._utils", function); };
  const std::string object = py_dict(
      {{"a", py_call(rebuild("_rebuild_parameter"), {w_, test::kPyTrue, py_ordered_dict({})})},
       {"b", py_call(rebuild("_rebuild_parameter_with_state"),
                     {w_, test::kPyTrue, py_ordered_dict({}), py_dict({{"tag", py_text("x")}})})},
       {"c", py_call(py_global("torch._tensor", "_rebuild_from_type_v2"),
                     {rebuild("_rebuild_tensor_v2"), py_global("torch", "Tensor"),
                      py_tuple(whole_tensor("0", {2, 3}).arguments()), py_dict({})})}});
  EXPECT_THAT(names(object), ElementsAre("a", "b", "c"));
}

TEST_F(TorchTest, ReadsViews) {
  const auto view = [](std::int64_t offset, std::vector<std::int64_t> shape,
                       std::vector<std::int64_t> strides) {
    return PickledTensor{
        .key = "0", .shape = shape, .n_stored = 6, .offset = offset, .strides = strides}
        .value();
  };
  const std::string object = py_dict({{"transposed", view(0, {3, 2}, {1, 3})},
                                      {"column", view(1, {2}, {3})},
                                      {"expanded", view(5, {2, 2}, {0, 0})},
                                      {"scalar", view(2, {}, {})},
                                      {"empty", view(6, {0, 4}, {4, 1})}});
  std::vector<std::string> bytes;
  for (const Tensor& tensor : read(torch_zip(object, {{"0", kSix}}))) bytes.push_back(tensor.bytes);
  EXPECT_THAT(bytes,
              ElementsAre(little_endian<float>({1, 4, 2, 5, 3, 6}), little_endian<float>({2, 5}),
                          little_endian<float>({6, 6, 6, 6}), little_endian<float>({3}), ""));
}

TEST_F(TorchTest, EqualViewsAreStoredOnce) {
  const std::string slice =
      PickledTensor{.key = "0", .shape = {3}, .n_stored = 6, .offset = 3, .strides = {1}}.value();
  const std::string object = py_dict({{"a", w_}, {"b", w_}, {"c", slice}, {"d", slice}});
  const auto reader = open_weights(write(torch_zip(object, {{"0", kSix}})));
  std::vector<std::size_t> stored_as;
  for (std::size_t i = 0; i < 4; ++i) stored_as.push_back(reader->stored_as(i));
  EXPECT_THAT(stored_as, ElementsAre(0, 0, 2, 2));
}

TEST_F(TorchTest, ReadsDeflatedMembers) {
  const std::string column =
      PickledTensor{.key = "0", .shape = {2}, .n_stored = 6, .offset = 1, .strides = {3}}.value();
  const std::string object = py_dict({{"w", w_}, {"column", column}});
  const std::string file = test::zip_of({test::deflated_member("m/data.pkl", test::pickled(object)),
                                         test::deflated_member("m/data/0", kSix)});
  const Tensor whole{{"w", DType::kF32, {2, 3}}, kSix};
  const Tensor part{{"column", DType::kF32, {2}}, little_endian<float>({2, 5})};
  EXPECT_THAT(read(file), ElementsAre(whole, part));
}

TEST_F(TorchTest, ReadsBigEndianFiles) {
  auto members =
      test::torch_members(py_dict({{"w", whole_tensor("0", {2}, "Short").value()},
                                   {"c", whole_tensor("1", {1}, "ComplexFloat").value()}}),
                          {{"0", "abcd"}, {"1", "abcdefgh"}});
  members.push_back({.name = "m/byteorder", .stored = "big"});
  const Tensor w{{"w", DType::kI16, {2}}, "badc"};
  const Tensor c{{"c", DType::kC64, {1}}, "dcbahgfe"};  // two numbers
  EXPECT_THAT(read(test::zip_of(members)), ElementsAre(w, c));
}

TEST_F(TorchTest, OneDictOfTensorsGivesItsKeys) {
  EXPECT_THAT(names(py_dict({{"fc.weight", w_}})), ElementsAre("fc.weight"));
  EXPECT_THAT(names(py_dict({{"epoch", py_int(3)},
                             {"state_dict", py_dict({{"fc.weight", w_}, {"fc.bias", w_}})}})),
              ElementsAre("fc.weight", "fc.bias"));
  EXPECT_THAT(names(py_list({w_, w_})), ElementsAre("0", "1"));
}

TEST_F(TorchTest, SeveralDictsOfTensorsGivePaths) {
  const std::string dict = py_dict({{"w", w_}});
  EXPECT_THAT(names(py_dict({{"net", dict}, {"ema", dict}})), ElementsAre("net.w", "ema.w"));
  EXPECT_THAT(names(py_dict({{"net", dict}, {"decay", w_}})), ElementsAre("net.w", "decay"));
  EXPECT_THAT(names(py_list({dict, py_tuple({w_})})), ElementsAre("0.w", "1.0"));
  // One dict under two names is two dicts.
  EXPECT_THAT(names("}(" + py_text("a") + dict + std::string("q\0", 2) + py_text("b") +
                    std::string("h\0u", 3)),
              ElementsAre("a.w", "b.w"));
}

TEST_F(TorchTest, ASingleTensorIsCalledTensor) { EXPECT_THAT(names(w_), ElementsAre("tensor")); }

TEST_F(TorchTest, LeavesOutTheStateOfOptimizers) {
  const std::string optimizer =
      py_dict({{"state", std::string("}K\0", 3) + py_dict({{"exp_avg", w_}}) + "s"},
               {"param_groups", py_list({py_dict({{"lr", py_int(1)}})})}});
  const std::string object = py_dict({{"model", py_dict({{"w", w_}})}, {"optimizer", optimizer}});
  EXPECT_THAT(names(object), ElementsAre("w"));
  EXPECT_THAT(skipped(object), ElementsAre("'optimizer' is the state of an optimizer (1 tensors)"));
}

TEST_F(TorchTest, SaysWhatIsNoTensor) {
  const std::string object =
      py_dict({{"w", w_},
               {"epoch", py_int(3)},
               {"name", py_text("net")},
               {"nothing", "N"},
               {"args", py_call(py_global("argparse", "Namespace"), {})},
               {"accuracy", py_call(py_global("numpy.core.multiarray", "scalar"), {})},
               {"options", py_dict({{"lr", py_int(1)}, {"layers", py_list({py_int(1)})}})}});
  EXPECT_THAT(skipped(object),
              ElementsAre("'epoch' is a number", "'name' is text", "'nothing' is None",
                          "'args' is an object of 'argparse.Namespace'", "'accuracy' is a number",
                          "'options' has no tensors"));
}

TEST_F(TorchTest, MetadataOfAStateDictAreNotMentioned) {
  const std::string metadata = py_dict({{"_metadata", py_dict({{"version", py_int(1)}})}});
  EXPECT_THAT(skipped(py_ordered_dict({{"w", w_}}) + metadata + "b"), IsEmpty());
}

TEST_F(TorchTest, TensorsThatItCannotReadAreLost) {
  const auto call = [&](const char* function) {
    return py_call(py_global("torch._utils", function), {w_});
  };
  auto conjugated = whole_tensor("0", {2, 3}).arguments();
  conjugated.push_back(py_dict({{"conj", test::kPyTrue}}));
  const std::string object = py_dict(
      {{"sparse", call("_rebuild_sparse_tensor")},
       {"quantized", call("_rebuild_qtensor")},
       {"meta", call("_rebuild_meta_tensor_no_storage")},
       {"wrapped", call("_rebuild_wrapper_subclass")},
       {"conjugated", py_call(py_global("torch._utils", "_rebuild_tensor_v2"), conjugated)},
       {"overlapping",
        PickledTensor{.key = "0", .shape = {2, 2}, .n_stored = 6, .strides = {1, 1}}.value()},
       {"array", py_call(py_global("numpy.core.multiarray", "_reconstruct"), {})},
       {"storage", whole_tensor("0", {2, 3}).storage()},
       {"module", py_call(py_global("torch.nn", "Linear"), {}) + py_dict({{"w", w_}}) + "b"}});
  EXPECT_THAT(
      skipped(object),
      ElementsAre("LOST 'sparse' is a sparse tensor (save its to_dense())",
                  "LOST 'quantized' is a quantized tensor (save its dequantize())",
                  "LOST 'meta' is a meta tensor, which has no values",
                  "LOST 'wrapped' is a tensor of a class that only its program can read "
                  "(save it as a plain tensor)",
                  "LOST 'conjugated' is a conjugated or negated view (save its "
                  "resolve_conj().resolve_neg())",
                  "LOST 'overlapping' is a view whose elements overlap (clone it before saving)",
                  "LOST 'array' is an array of numpy (save torch.from_numpy of it)",
                  "LOST 'storage' is a storage",
                  "LOST 'module' is an object of 'torch.nn.Linear' with 1 tensors (in Python: "
                  "import torch; saved = torch.load(IN, weights_only=False); "
                  "torch.save(saved['module'].state_dict(), OUT))"));
}

TEST_F(TorchTest, DoesNotFollowAContainerIntoItself) {
  const std::string object = "]" + std::string("q\0(h\0", 5) + w_ + "e";
  EXPECT_THAT(names(object), ElementsAre("1"));
  EXPECT_THAT(skipped(object), ElementsAre("'0' has no tensors"));
}

}  // namespace
}  // namespace pqw
