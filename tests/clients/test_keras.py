"""HDF5 files in the layout of Keras: weights of layers with attributes that name them."""
import json
import unittest

import h5py
import numpy as np

from tool import ClientTest

LAYERS = {
    "conv2d": {"kernel:0": (3, 3, 32, 48), "bias:0": (48,)},
    "batch_normalization": {"gamma:0": (48,), "beta:0": (48,), "moving_mean:0": (48,),
                            "moving_variance:0": (48,)},
    "flatten": {},
    "dense": {"kernel:0": (768, 40), "bias:0": (40,)},
    "dense_1": {"kernel:0": (40, 250), "bias:0": (250,)},
}


def write_model(path):
    """Writes what Keras' model.save(path) writes for these layers."""
    random = np.random.RandomState(5)
    with h5py.File(path, "w") as file:
        file.attrs["backend"] = "tensorflow"
        file.attrs["keras_version"] = "2.11.0"
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": {"layers": list(LAYERS)}})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [layer.encode() for layer in LAYERS]
        for layer, weights in LAYERS.items():
            of_layer = group.create_group(layer)
            of_layer.attrs["weight_names"] = np.array([f"{layer}/{name}".encode()
                                                       for name in weights], "S64")
            for name, shape in weights.items():
                of_layer[f"{layer}/{name}"] = random.standard_normal(shape).astype(np.float32)


def content(path):
    """All groups and datasets by name: their attributes, and values of datasets."""
    found = {}

    def visit(name, item):
        attributes = {key: np.array(value).tolist() for key, value in item.attrs.items()}
        found[name] = attributes, item[()] if isinstance(item, h5py.Dataset) else None

    with h5py.File(path) as file:
        visit("/", file)
        file.visititems(visit)
    return found


class KerasTest(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.original, cls.archive = cls.path("model.h5"), cls.path("archive.h5")
        write_model(cls.original)
        cls.pqw("quantize", cls.original, "-o", cls.archive)

    def check_values(self, decoded):
        """Errors are of the size that eval reports."""
        reported = self.error_of(self.original, self.archive)
        before, after = content(self.original), content(decoded)
        for name, (_, value) in before.items():
            if value is not None:
                found = after[name][1]
                self.assertEqual((found.dtype, found.shape), (value.dtype, value.shape), name)
                error = np.sum((found - value) ** 2) / np.sum(value ** 2)
                self.assertLessEqual(error, reported, name)

    def test_kernels_are_weights_of_layers(self):
        report = json.loads(self.pqw("inspect", self.original, "--json"))
        kinds = {tensor["name"]: tensor.get("kind") for tensor in report["tensors"]}
        self.assertEqual(kinds["model_weights/dense/dense/kernel:0"], "linear")
        self.assertEqual(kinds["model_weights/conv2d/conv2d/kernel:0"], "conv")

    def test_copies_have_attributes_and_structure_of_the_original(self):
        copy = self.path("copy.h5")
        self.pqw("decode", self.archive, "--template", self.original, "-o", copy)
        self.check_values(copy)
        before, after = content(self.original), content(copy)
        self.assertEqual(list(after), list(before))
        for name, (attributes, _) in before.items():
            self.assertEqual(after[name][0], attributes, name)

    def test_values_without_a_template(self):
        decoded = self.path("decoded.h5")
        self.pqw("decode", self.archive, "-o", decoded)
        self.check_values(decoded)


if __name__ == "__main__":
    unittest.main()
