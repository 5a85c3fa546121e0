// One forward pass of a linear layer of an archive, from file to file: what other implementations
// compare their outputs with (scripts/reference/int8_dynamic.py).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "pqw/codecs/product.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "pqw/model/model.h"

namespace pqw {
namespace {

struct Arguments {
  std::string archive, weight, bias, inputs, outputs;
  std::string precision = "high";
};

// Inputs are [batch][in_features].
void run(const Arguments& arguments) {
  const auto precision = parse_precision(arguments.precision);
  if (!precision) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("precision {}: expected exact, high or fast", arguments.precision));
  }
  const Linear layer =
      Model(arguments.archive).linear(arguments.weight, arguments.bias, {.precision = *precision});
  const auto file = open_weights(arguments.inputs);
  const TensorInfo& info = file->tensors().at(0);
  const MatrixShape shape = matrix_shape(info.shape);
  std::vector<float> x(element_count(info.shape));
  to_float(file->read(0), info.dtype, x);
  std::vector<float> y(shape.rows * layer.out_features());
  layer.forward({x.data(), shape.rows, shape.cols}, {y.data(), shape.rows, layer.out_features()});
  const auto writer =
      create_weights(arguments.outputs, {{"y", DType::kF32, {shape.rows, layer.out_features()}}},
                     {}, {.overwrite = true});
  writer->add(std::as_bytes(std::span(y)));
  writer->commit();
}

}  // namespace
}  // namespace pqw

int main(int argc, char** argv) {
  pqw::Arguments arguments;
  CLI::App app("Runs a linear layer of an archive on inputs from a file");
  app.add_option("ARCHIVE", arguments.archive)->required();
  app.add_option("WEIGHT", arguments.weight, "name of the weight [out, in]")->required();
  app.add_option("X", arguments.inputs, "inputs, [batch, in]: .npy or another format")->required();
  app.add_option("Y", arguments.outputs, "file to write, [batch, out]")->required();
  app.add_option("--bias", arguments.bias, "name of the bias");
  app.add_option("--precision", arguments.precision, "exact, high or fast (default high)");
  CLI11_PARSE(app, argc, argv);
  try {
    pqw::run(arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "linear: %s\n", error.what());
    return 1;
  }
}
