"""scripts/calibrate_onnx runs ONNX models and gives the statistics of the inputs of their layers."""
import os
import subprocess
import unittest

import h5py
import numpy as np
import onnx

import onnx_models
from tool import PQW, ROOT, ClientTest


class CalibrateOnnxTest(ClientTest):
    def calibrate(self, make, n_runs, *options):
        """Statistics of random inputs of the model: {weight: {dataset: array}}."""
        model, feeds = make()
        path = self.path(f"{make.__name__}.onnx")
        output = self.path(f"{self._testMethodName}_{len(options)}.h5")
        onnx.save(model, path)
        inputs = []
        for i in range(n_runs):
            random = np.random.RandomState(i)
            feed = {name: random.standard_normal(x.shape).astype(x.dtype)
                    if x.dtype == np.float32 else x for name, x in feeds[0].items()}
            inputs.append((self.path(f"{make.__name__}_{i}.npz"), feed))
            np.savez(inputs[-1][0], **feed)
        done = subprocess.run(
            ["/usr/bin/python3", str(ROOT / "scripts/calibrate_onnx"), path,
             *(file for file, _ in inputs), "-o", output, *options],
            capture_output=True, text=True, env={**os.environ, "PQW": PQW})
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(output) as file:
            statistics = {group.attrs["name"].decode() if isinstance(group.attrs["name"], bytes)
                          else str(group.attrs["name"]): {key: group[key][()] for key in group}
                          for group in file.values()}
        return statistics, [feed for _, feed in inputs], done.stderr

    def test_convolutions(self):
        statistics, feeds, notes = self.calibrate(onnx_models.convolutions, 10)
        self.assertEqual(set(statistics), {"conv1.weight", "depthwise.weight", "conv2.weight",
                                           "fc1.weight", "fc2.weight"})
        depthwise = statistics["depthwise.weight"]
        self.assertEqual(int(depthwise["gram_block"]), 9)
        self.assertEqual(depthwise["gram"].shape, (32 * 81,))
        first = statistics["conv1.weight"]
        # 10 runs of 2 images of 16 x 16, with padding.
        self.assertEqual(int(first["rows"]) + len(first["held_out"]), 10 * 2 * 256)
        # The middle of the kernel sees each pixel once.
        pixels = np.concatenate([feed["x"] for feed in feeds]).transpose(0, 2, 3, 1).reshape(-1, 3)
        middle = first["means"][4::9] * int(first["rows"]) + first["held_out"][:, 4::9].sum(0)
        np.testing.assert_allclose(middle, pixels.sum(0), rtol=1e-4, atol=1e-3)

    def test_later_stages_see_quantized_layers(self):
        plain, _, _ = self.calibrate(onnx_models.convolutions, 10)
        coarse = ["--sequential", "2", "--", "--codec", "tcq", "--bits", "4"]
        staged, _, _ = self.calibrate(onnx_models.convolutions, 10, *coarse)
        self.assertEqual(set(staged), set(plain))
        for name, statistics in plain.items():
            means, later = statistics["means"], staged[name]["means"]
            self.assertEqual(int(statistics["rows"]), int(staged[name]["rows"]))
            if name in ("conv1.weight", "depthwise.weight", "conv2.weight"):
                np.testing.assert_array_equal(later, means)
                continue
            change = np.linalg.norm(later - means) / np.linalg.norm(means)
            self.assertGreater(change, 1e-4, name)
            self.assertLess(change, 0.5, name)

    def test_matrices_of_sequences(self):
        statistics, _, _ = self.calibrate(onnx_models.sequences, 10)
        self.assertEqual(set(statistics), {"up.weight", "down.weight"})
        self.assertEqual(statistics["up.weight"]["axes"].tolist(), [1, 0])


if __name__ == "__main__":
    unittest.main()
