"""Small ONNX models with random weights of a fixed seed, and inputs for them."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def weight(random, *shape, inputs):
    """Values that keep the strength of a signal through a layer with so many inputs."""
    return (random.standard_normal(shape) / np.sqrt(inputs)).astype(np.float32)


def initializers(arrays):
    return [numpy_helper.from_array(array, name) for name, array in arrays.items()]


def constant(name, array):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name))


def make_model(nodes, inputs, outputs, arrays):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers(arrays))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def convolutions():
    """Conv, depthwise Conv, Gemm with transB=1 and with transB=0."""
    random = np.random.RandomState(1)
    arrays = {
        "conv1.weight": weight(random, 32, 3, 3, 3, inputs=27),
        "conv1.bias": weight(random, 32, inputs=27),
        "depthwise.weight": weight(random, 32, 1, 3, 3, inputs=9),
        "conv2.weight": weight(random, 48, 32, 3, 3, inputs=288),
        "fc1.weight": weight(random, 40, 768, inputs=768),
        "fc1.bias": weight(random, 40, inputs=768),
        "fc2.weight": weight(random, 40, 250, inputs=40),
        "fc2.bias": weight(random, 250, inputs=40),
    }
    node = helper.make_node
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        node("Conv", ["x", "conv1.weight", "conv1.bias"], ["a"], **same),
        node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "depthwise.weight"], ["c"], group=32, **same),
        node("Relu", ["c"], ["d"]),
        node("Conv", ["d", "conv2.weight"], ["e"], **same),
        node("AveragePool", ["e"], ["f"], kernel_shape=[4, 4], strides=[4, 4]),
        node("Flatten", ["f"], ["g"]),
        node("Gemm", ["g", "fc1.weight", "fc1.bias"], ["h"], transB=1),
        node("Relu", ["h"], ["i"]),
        node("Gemm", ["i", "fc2.weight", "fc2.bias"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    model = make_model(nodes, [value("x", TensorProto.FLOAT, [2, 3, 16, 16])],
                       [value("y", TensorProto.FLOAT, [2, 250])], arrays)
    return model, [{"x": random.standard_normal((2, 3, 16, 16)).astype(np.float32)}]


def branch(name, random):
    """A sub-graph that multiplies the value `hidden` of the graph around it."""
    output = helper.make_tensor_value_info(f"{name}.y", TensorProto.FLOAT, [2, 160])
    nodes = [helper.make_node("MatMul", ["hidden", f"{name}.weight"], [f"{name}.y"])]
    arrays = {f"{name}.weight": weight(random, 64, 160, inputs=64)}
    return helper.make_graph(nodes, name, [], [output], initializers(arrays))


def sequences():
    """Gather from an embedding, MatMul [in, out] with an initializer and with a Constant, LSTM, If."""
    random = np.random.RandomState(2)
    arrays = {
        "embedding": weight(random, 300, 48, inputs=1),
        "up.weight": weight(random, 48, 192, inputs=48),
        "lstm.w": weight(random, 1, 256, 48, inputs=48),
        "lstm.r": weight(random, 1, 256, 64, inputs=64),
        "lstm.b": weight(random, 1, 512, inputs=64),
        "axis": np.array([0], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Gather", ["embedding", "ids"], ["rows"]),
        node("MatMul", ["rows", "up.weight"], ["wide"]),
        constant("up.bias", weight(random, 192, inputs=48)),
        node("Add", ["wide", "up.bias"], ["moved"]),
        node("Relu", ["moved"], ["positive"]),
        constant("down.weight", weight(random, 192, 48, inputs=96)),
        node("MatMul", ["positive", "down.weight"], ["narrow"]),
        node("LSTM", ["narrow", "lstm.w", "lstm.r", "lstm.b"], ["", "last"], hidden_size=64),
        node("Squeeze", ["last", "axis"], ["hidden"]),
        node("If", ["first"], ["y"], name="choice", then_branch=branch("then", random),
             else_branch=branch("else", random)),
    ]
    value = helper.make_tensor_value_info
    model = make_model(nodes, [value("ids", TensorProto.INT64, [6, 2]),
                               value("first", TensorProto.BOOL, [])],
                       [value("y", TensorProto.FLOAT, [2, 160])], arrays)
    ids = random.randint(0, 300, (6, 2)).astype(np.int64)
    return model, [{"ids": ids, "first": np.array(first)} for first in (True, False)]


def stored_tensors(graph):
    """Initializers and values of Constants, also of sub-graphs."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from stored_tensors(attribute.g)


def with_values(model, values):
    """A copy in which each named tensor has the value of that name."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in stored_tensors(copy.graph):
        tensor.CopyFrom(numpy_helper.from_array(values[tensor.name], tensor.name))
    return copy
