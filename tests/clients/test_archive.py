"""The Python of docs/archive_format.md reads archives, with h5py and numpy alone."""
import unittest

import h5py
import numpy as np

from tool import ClientTest, documented, safetensors_io

SETTINGS = {
    "default": [],
    "packed": ["--entropy-coding", "off"],
    "coded": ["--codec", "pq", "--block-size", "2", "--centroids", "300", "--groups", "2",
              "--row-scales", "log8"],
    "pq": ["--codec", "pq", "--block-size", "3", "--centroids", "100", "--groups", "2",
           "--row-scales", "f16", "--codebook", "f32"],
    "additive": ["--codec", "pq", "--block-size", "6", "--centroids", "50", "--groups", "2",
                 "--additive", "3", "--row-scales", "log8"],
    "one_scale": ["--codec", "int8", "--per", "tensor", "--scheme", "affine"],
}


class ArchiveTest(ClientTest):
    def check(self, original, name, *settings):
        archive = self.path(f"{name}.h5")
        self.pqw("quantize", original, "-o", archive, *settings)
        names = {"path": archive}
        exec(documented("archive_format.md"), names)
        expected = self.decoded_values(archive)
        self.assertEqual(list(names["weights"]), list(expected))
        for tensor, value in expected.items():
            found = names["weights"][tensor]
            self.assertEqual(found.dtype, value.dtype)
            np.testing.assert_array_equal(found, value, tensor)

    def test_python_of_the_document_decodes_archives(self):
        random = np.random.RandomState(3)
        tensors = {
            "fc.weight": random.standard_normal((96, 250)).astype(np.float32),
            "conv.weight": random.standard_normal((64, 32, 3, 3)).astype(np.float16),
            "small.weight": random.standard_normal((40, 24)).astype(np.float32),
            "zero.weight": np.zeros((128, 96), np.float32),
            "fc.bias": random.standard_normal(96).astype(np.float32),
            "steps": np.array(7, np.int64),
        }
        tensors["fc.weight"] *= np.logspace(-3, 0, 96, dtype=np.float32)[:, None]
        tensors["fc.weight"][5] = 0
        original = self.path("model.safetensors")
        safetensors_io.write(original, tensors)
        for name, settings in SETTINGS.items():
            with self.subTest(settings=name):
                self.check(original, name, *settings)

    def test_weights_in_the_order_of_keras(self):
        random = np.random.RandomState(4)
        original = self.path("layers.h5")
        with h5py.File(original, "w") as file:
            file["dense/dense/kernel:0"] = random.standard_normal((96, 250)).astype(np.float32)
            file["conv/conv/kernel:0"] = random.standard_normal((3, 3, 32, 64)).astype(np.float32)
        self.check(original, "keras")


if __name__ == "__main__":
    unittest.main()
