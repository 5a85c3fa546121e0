"""Inputs that the hook of docs/calibration.md records from PyTorch, and the errors of outputs."""
import glob
import json
import unittest

import torch

from test_torch import make_network
from tool import ClientTest, documented


class CalibrateTest(ClientTest):
    def test_output_errors_are_those_of_the_layers_in_pytorch(self):
        model, names = make_network(), {}
        exec(documented("calibration.md"), names)
        torch.manual_seed(1)
        batches = [torch.randn(8, 3, 16, 16) for _ in range(8)]
        names["record_inputs"](model, batches, self.path("inputs"))
        original, archive = self.path("model.pt"), self.path("model.h5")
        torch.save(model.state_dict(), original)
        statistics = self.path("stats.h5")
        inputs = sorted(glob.glob(self.path("inputs_*.npz")))
        self.assertEqual(len(inputs), len(batches))
        report = json.loads(self.pqw("calibrate", *inputs, "--model", original, "-o", statistics,
                                     "--json", *names["windows"](model)))
        rows = {tensor["name"]: tensor["rows"] + tensor["held_out"] for tensor in report["tensors"]}
        pixels = 64 * 16 * 16  # the padding keeps the size of images
        self.assertEqual(rows, {"conv1.weight": pixels, "conv2.weight": pixels,
                                "fc1.weight": 64, "fc2.weight": 64})
        self.pqw("quantize", original, "-o", archive, "--codec", "pq", "--centroids", "32")
        judged = json.loads(
            self.pqw("eval", original, archive, "--calibration", statistics, "--json"))
        errors = {tensor["name"]: tensor["output_error"] for tensor in judged["tensors"]}
        decoded = make_network()
        values = {key: torch.from_numpy(value.copy())
                  for key, value in self.decoded_values(archive).items()}
        decoded.load_state_dict(values)
        x = torch.cat(batches)
        with torch.no_grad():
            for name, layer in model.named_children():
                y = layer(x)
                if rows.get(f"{name}.weight"):
                    bias = layer.bias.reshape([-1] + [1] * (y.dim() - 2))
                    change = decoded.get_submodule(name)(x) - y
                    expected = float((change ** 2).sum() / ((y - bias) ** 2).sum())
                    found = errors[f"{name}.weight"]
                    # The held-out rows are a sample of those here.
                    self.assertLess(abs(found / expected - 1), 0.5, name)
                x = y


if __name__ == "__main__":
    unittest.main()
