"""The digit classifier keeps its accuracy in PyTorch and in ONNX runtimes."""
import collections
import unittest

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch.nn import functional

import digits
import onnx_models
from onnx_runtime import RUNTIMES, run_onnx
from tool import ClientTest


def onnx_network(weights):
    node = helper.make_node
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    halve = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        node("Conv", ["x", "conv1.weight", "conv1.bias"], ["a"], **same),
        node("Relu", ["a"], ["b"]), node("MaxPool", ["b"], ["c"], **halve),
        node("Conv", ["c", "conv2.weight", "conv2.bias"], ["d"], **same),
        node("Relu", ["d"], ["e"]), node("MaxPool", ["e"], ["f"], **halve),
        node("Flatten", ["f"], ["g"]),
        node("Gemm", ["g", "fc1.weight", "fc1.bias"], ["h"], transB=1), node("Relu", ["h"], ["i"]),
        node("Gemm", ["i", "fc2.weight", "fc2.bias"], ["y"], transB=1),
    ]
    value = helper.make_tensor_value_info
    return onnx_models.make_model(nodes, [value("x", TensorProto.FLOAT, ["n", 1, 28, 28])],
                                  [value("y", TensorProto.FLOAT, ["n", 10])], weights)


def torch_network(weights, x):
    x = functional.conv2d(x, weights["conv1.weight"], weights["conv1.bias"], padding=1)
    x = functional.max_pool2d(functional.relu(x), 2)
    x = functional.conv2d(x, weights["conv2.weight"], weights["conv2.bias"], padding=1)
    x = functional.max_pool2d(functional.relu(x), 2).flatten(1)
    x = functional.relu(functional.linear(x, weights["fc1.weight"], weights["fc1.bias"]))
    return functional.linear(x, weights["fc2.weight"], weights["fc2.bias"])


class DigitsTest(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images, cls.labels = digits.test_images()
        cls.weights = digits.weights()

    def check(self, name, outputs, paths):
        """Of {network: outputs}, the original first, each loses at most half a percent."""
        counts = {network: digits.right(y, self.labels) for network, y in outputs.items()}
        digits.print_figures(name, counts, paths)
        self.assertEqual(counts["original"], digits.N_RIGHT, name)
        for network, count in counts.items():
            self.assertGreaterEqual(count, digits.N_RIGHT - 10, f"{name}: {network}")

    def test_pytorch(self):
        paths = original, archive, decoded = [self.path(f) for f in ("digits.pt", "torch.h5", "decoded.pt")]
        torch.save(collections.OrderedDict((name, torch.from_numpy(value.copy()))
                                           for name, value in self.weights.items()), original)
        self.pqw("quantize", original, "-o", archive)
        self.pqw("decode", archive, "--template", original, "-o", decoded)
        x = torch.from_numpy(self.images)
        self.check("PyTorch", {"original": torch_network(torch.load(original), x).numpy(),
                               "decoded": torch_network(torch.load(decoded), x).numpy()}, paths)

    def test_onnx(self):
        models = original, decoded, exported = [self.path(f"{name}.onnx")
                                                for name in ("digits", "decoded", "exported")]
        archive = self.path("onnx.h5")
        onnx.save(onnx_network(self.weights), original)
        self.pqw("quantize", original, "-o", archive)
        self.pqw("decode", archive, "--template", original, "-o", decoded)
        self.pqw("export", archive, "--template", original, "-o", exported)
        for runtime in RUNTIMES:
            runs = run_onnx(runtime, models, [{"x": self.images}])
            outputs = {name: run[0]["y"] for name, run in zip(("original", "decoded", "exported"), runs)}
            self.check(runtime, outputs, [*models, archive])
            np.testing.assert_array_equal(outputs["exported"], outputs["decoded"], runtime)


if __name__ == "__main__":
    unittest.main()
