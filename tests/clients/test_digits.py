"""The digit classifier keeps its accuracy in PyTorch and in ONNX runtimes."""
import collections
import unittest

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch.nn import functional

import onnx_models
from onnx_runtime import RUNTIMES, run_onnx
from tool import ROOT, ClientTest, safetensors_io

DATA = ROOT / "tests/data"


def onnx_network(weights):
    """The network that tests/data/README.md describes."""
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
        test = safetensors_io.read(DATA / "digits_test.safetensors")
        cls.images = test["images"][:, None].astype(np.float32) / 255
        cls.labels = test["labels"]
        cls.weights = safetensors_io.read(DATA / "digits.safetensors")

    def right(self, outputs):
        return int((outputs.argmax(1) == self.labels).sum())

    def test_pytorch(self):
        original, archive = self.path("digits.pt"), self.path("torch.h5")
        torch.save(collections.OrderedDict((name, torch.from_numpy(value.copy()))
                                           for name, value in self.weights.items()), original)
        self.pqw("quantize", original, "-o", archive)
        decoded = self.decoded_values(archive)
        x = torch.from_numpy(self.images)
        before = torch_network(torch.load(original), x).numpy()
        after = torch_network({name: torch.from_numpy(value.copy())
                               for name, value in decoded.items()}, x).numpy()
        self.assertEqual(self.right(before), 1987)
        self.assertGreaterEqual(self.right(after), 1977)  # half a percent

    def test_onnx(self):
        original, archive = self.path("digits.onnx"), self.path("onnx.h5")
        decoded, exported = self.path("decoded.onnx"), self.path("exported.onnx")
        onnx.save(onnx_network(self.weights), original)
        self.pqw("quantize", original, "-o", archive)
        self.pqw("decode", archive, "--template", original, "-o", decoded)
        self.pqw("export", archive, "--template", original, "-o", exported)
        models = [original, decoded, exported]
        for runtime in RUNTIMES:
            runs = run_onnx(runtime, models, [{"x": self.images}])
            before, after, small = [outputs[0]["y"] for outputs in runs]
            self.assertEqual(self.right(before), 1987, runtime)
            self.assertGreaterEqual(self.right(after), 1977, runtime)  # half a percent
            np.testing.assert_array_equal(small, after, runtime)


if __name__ == "__main__":
    unittest.main()
