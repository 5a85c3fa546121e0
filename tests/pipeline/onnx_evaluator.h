// Runs the ONNX operators that decode weights, in double: the specification of exported models.
#pragma once

#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "pqw/core/convert.h"

namespace pqw::test {

struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
  int type = onnx::TensorProto::FLOAT;

  bool operator==(const Array&) const = default;
};

inline std::int64_t count(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

// Of raw values.
inline Array array_of(const onnx::TensorProto& tensor) {
  Array array{{tensor.dims().begin(), tensor.dims().end()}, {}, tensor.data_type()};
  const auto n = static_cast<std::size_t>(count(array.shape));
  const char* at = tensor.raw_data().data();
  const auto next = [&]<class T>(T value) {
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
    return value;
  };
  for (std::size_t i = 0; i < n; ++i) {
    switch (tensor.data_type()) {
      case onnx::TensorProto::FLOAT:
        array.values.push_back(next(0.f));
        break;
      case onnx::TensorProto::UINT8:
        array.values.push_back(next(std::uint8_t{}));
        break;
      case onnx::TensorProto::INT8:
        array.values.push_back(next(std::int8_t{}));
        break;
      case onnx::TensorProto::INT16:
        array.values.push_back(next(std::int16_t{}));
        break;
      case onnx::TensorProto::INT32:
        array.values.push_back(next(std::int32_t{}));
        break;
      case onnx::TensorProto::INT64:
        array.values.push_back(static_cast<double>(next(std::int64_t{})));
        break;
      case onnx::TensorProto::FLOAT16:
        array.values.push_back(f16_to_float(next(std::uint16_t{})));
        break;
      case onnx::TensorProto::BFLOAT16:
        array.values.push_back(bf16_to_float(next(std::uint16_t{})));
        break;
      default:
        throw std::runtime_error("type " + std::to_string(tensor.data_type()));
    }
  }
  return array;
}

class OnnxEvaluator {
 public:
  std::map<std::string, Array> values;

  // Initializers, then nodes in their order.
  void run(const onnx::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) values[tensor.name()] = array_of(tensor);
    for (const auto& node : graph.node()) run(node);
  }

 private:
  static const onnx::AttributeProto& attribute(const onnx::NodeProto& node, const char* name) {
    for (const auto& a : node.attribute()) {
      if (a.name() == name) return a;
    }
    throw std::runtime_error(node.op_type() + " without " + name);
  }

  const Array& input(const onnx::NodeProto& node, int i) const { return values.at(node.input(i)); }

  // Numbers are rounded as the type of the result says.
  static double rounded(double value, int type) {
    const auto narrow = static_cast<float>(value);
    switch (type) {
      case onnx::TensorProto::FLOAT:
        return narrow;
      case onnx::TensorProto::FLOAT16:
        return f16_to_float(float_to_f16(narrow));
      case onnx::TensorProto::BFLOAT16:
        return bf16_to_float(float_to_bf16(narrow));
      default:
        return value;
    }
  }

  void run(const onnx::NodeProto& node) {
    const std::string& op = node.op_type();
    Array result;
    if (op == "Cast") {
      result = input(node, 0);
      result.type = static_cast<int>(attribute(node, "to").i());
      for (double& value : result.values) value = rounded(value, result.type);
    } else if (op == "Identity") {
      result = input(node, 0);
    } else if (op == "Gather") {
      result = gather(input(node, 0), input(node, 1));
    } else if (op == "Reshape") {
      result = reshape(input(node, 0), input(node, 1));
    } else if (op == "Transpose") {
      result = transpose(input(node, 0), attribute(node, "perm"));
    } else if (op == "Slice") {
      const auto end = node.input_size() == 1
                           ? attribute(node, "ends").ints(0)
                           : static_cast<std::int64_t>(input(node, 2).values.at(0));
      result = first_columns(input(node, 0), end);
    } else if (op == "ReduceSum") {
      const auto axis = node.input_size() == 1
                            ? attribute(node, "axes").ints(0)
                            : static_cast<std::int64_t>(input(node, 1).values.at(0));
      if (axis != 1) throw std::runtime_error("ReduceSum over another dimension than 1");
      result = sum_over_dimension_1(input(node, 0));
    } else if (op == "Shape") {
      const Array& x = input(node, 0);
      result = {{static_cast<std::int64_t>(x.shape.size())},
                {x.shape.begin(), x.shape.end()},
                onnx::TensorProto::INT64};
    } else if (op == "Concat") {
      result = input(node, 0);
      const Array& second = input(node, 1);
      result.values.insert(result.values.end(), second.values.begin(), second.values.end());
      result.shape[0] += second.shape[0];
    } else if (op == "MatMul") {
      result = product(input(node, 0), input(node, 1));
    } else {
      result = elementwise(op, input(node, 0), input(node, 1));
    }
    if (values.contains(node.output(0))) throw std::runtime_error(node.output(0) + " again");
    values[node.output(0)] = std::move(result);
  }

  // Of three dimensions.
  static Array sum_over_dimension_1(const Array& x) {
    const auto n = static_cast<std::size_t>(x.shape[1]),
               inner = static_cast<std::size_t>(x.shape[2]);
    Array result{{x.shape[0], 1, x.shape[2]}, {}, x.type};
    for (std::size_t i = 0; i < x.values.size(); i += n * inner) {
      for (std::size_t j = 0; j < inner; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < n; ++k)
          sum = rounded(sum + x.values[i + k * inner + j], x.type);
        result.values.push_back(sum);
      }
    }
    return result;
  }

  static Array gather(const Array& data, const Array& ids) {
    const std::int64_t row = count({data.shape.begin() + 1, data.shape.end()});
    Array result{ids.shape, {}, data.type};
    result.shape.insert(result.shape.end(), data.shape.begin() + 1, data.shape.end());
    for (const double id : ids.values) {
      const auto i = static_cast<std::int64_t>(id) + (id < 0 ? data.shape[0] : 0);
      result.values.insert(result.values.end(), data.values.begin() + i * row,
                           data.values.begin() + (i + 1) * row);
    }
    return result;
  }

  static Array reshape(const Array& x, const Array& sizes) {
    Array result{{}, x.values, x.type};
    for (const double size : sizes.values) result.shape.push_back(static_cast<std::int64_t>(size));
    for (std::int64_t& size : result.shape) {
      if (size == -1) size = -static_cast<std::int64_t>(x.values.size()) / count(result.shape);
    }
    if (count(result.shape) != count(x.shape)) throw std::runtime_error("Reshape");
    return result;
  }

  static Array transpose(const Array& x, const onnx::AttributeProto& perm) {
    Array result{{}, std::vector<double>(x.values.size()), x.type};
    for (const std::int64_t from : perm.ints()) {
      result.shape.push_back(x.shape[static_cast<std::size_t>(from)]);
    }
    for (std::int64_t i = 0; i < count(x.shape); ++i) {
      std::vector<std::int64_t> index(x.shape.size());
      std::int64_t rest = i;
      for (std::size_t d = x.shape.size(); d-- > 0; rest /= x.shape[d])
        index[d] = rest % x.shape[d];
      std::int64_t at = 0;
      for (int d = 0; d < perm.ints_size(); ++d) {
        const auto from = static_cast<std::size_t>(perm.ints(d));
        at = at * x.shape[from] + index[from];
      }
      result.values[static_cast<std::size_t>(at)] = x.values[static_cast<std::size_t>(i)];
    }
    return result;
  }

  static Array first_columns(const Array& x, std::int64_t end) {
    Array result{{x.shape.at(0), end}, {}, x.type};
    if (x.shape.size() != 2)
      throw std::runtime_error("Slice of rank " + std::to_string(x.shape.size()));
    for (std::int64_t r = 0; r < x.shape[0]; ++r) {
      const auto row = x.values.begin() + r * x.shape[1];
      result.values.insert(result.values.end(), row, row + end);
    }
    return result;
  }

  static Array product(const Array& a, const Array& b) {
    Array result{{a.shape.at(0), b.shape.at(1)}, {}, a.type};
    for (std::int64_t r = 0; r < a.shape[0]; ++r) {
      for (std::int64_t c = 0; c < b.shape[1]; ++c) {
        double sum = 0;
        for (std::int64_t k = 0; k < b.shape[0]; ++k) {
          sum += a.values[static_cast<std::size_t>(r * b.shape[0] + k)] *
                 b.values[static_cast<std::size_t>(k * b.shape[1] + c)];
        }
        result.values.push_back(rounded(sum, a.type));
      }
    }
    return result;
  }

  // b is [n, m] as a is, [n, 1], [m] or [1].
  static Array elementwise(const std::string& op, const Array& a, const Array& b) {
    if (a.type != b.type) throw std::runtime_error(op + " of two types");
    Array result = a;
    const auto m = static_cast<std::size_t>(a.shape.back());
    for (std::size_t i = 0; i < a.values.size(); ++i) {
      const bool is_column = b.shape.size() == 2 && b.shape[1] == 1;
      const double y = b.values[b.values.size() == 1                          ? 0
                                : is_column                                   ? i / m
                                : b.values.size() == m && b.shape.size() == 1 ? i % m
                                                                              : i];
      const double x = a.values[i];
      const double value = op == "Add"   ? x + y
                           : op == "Sub" ? x - y
                           : op == "Mul" ? x * y
                           : op == "Min" ? std::min(x, y)
                           : op == "Max" ? std::max(x, y)
                                         : throw std::runtime_error("operator " + op);
      result.values[i] = rounded(value, a.type);
    }
    return result;
  }
};

}  // namespace pqw::test
