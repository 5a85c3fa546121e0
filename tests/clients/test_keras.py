"""Files of Keras, in both of its formats: .h5 with attributes that name weights, and .keras."""
import io
import json
import unittest
import zipfile

import h5py
import numpy as np

import digits
from tool import ClientTest

LAYERS = [layer["config"]["name"] for layer in digits.keras_config()["config"]["layers"]]


def write_h5(path):
    """Writes what Keras 2 writes for model.save("model.h5")."""
    weights = digits.keras_weights()
    with h5py.File(path, "w") as file:
        file.attrs["backend"] = "tensorflow"
        file.attrs["keras_version"] = "2.11.0"
        file.attrs["model_config"] = json.dumps(digits.keras_config())
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [layer.encode() for layer in LAYERS]
        for layer in LAYERS:
            of_layer = group.create_group(layer)
            of_layer.attrs["weight_names"] = np.array(
                [f"{layer}/{name}:0".encode() for name in weights.get(layer, {})], "S64")
            for name, value in weights.get(layer, {}).items():
                of_layer[f"{layer}/{name}:0"] = value


def write_keras(path):
    """Writes what Keras 3 writes for model.save("model.keras")."""
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        for layer in LAYERS:
            group = file.create_group(f"layers/{layer}/vars")
            for i, value in enumerate(digits.keras_weights().get(layer, {}).values()):
                group[str(i)] = value
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": "3.3.3"}))
        file.writestr("config.json", json.dumps(digits.keras_config()))
        file.writestr("model.weights.h5", stored.getvalue())


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
    def quantized(self, write, name):
        """Returns the original, the archive and the decoded copy of the original."""
        paths = original, archive, copy = [self.path(f) for f in (name, f"{name}_pq.h5", f"copy_{name}")]
        write(original)
        self.pqw("quantize", original, "-o", archive, "--force")
        self.pqw("decode", archive, "--template", original, "-o", copy, "--force")
        return paths

    def check_kinds(self, original, **kinds):
        report = json.loads(self.pqw("inspect", original, "--json"))
        found = {tensor["name"]: tensor.get("kind") for tensor in report["tensors"]}
        for name, kind in kinds.items():
            self.assertEqual([found[key] for key in found if name in key], [kind])

    def check_values(self, before, after, limit):
        """The same datasets; their errors are at most the limit, and some are not zero."""
        self.assertEqual(list(after), list(before))
        errors = []
        for name, (_, value) in before.items():
            if value is not None:
                found = after[name][1]
                self.assertEqual((found.dtype, found.shape), (value.dtype, value.shape), name)
                errors.append(np.sum((found - value) ** 2) / np.sum(value ** 2))
        self.assertLessEqual(max(errors), limit)
        self.assertGreater(max(errors), 0)

    def test_h5(self):
        original, archive, copy = self.quantized(write_h5, "model.h5")
        self.check_kinds(original, **{"fc1/kernel": "linear", "conv1/kernel": "conv"})
        before, after = content(original), content(copy)
        self.check_values(before, after, self.error_of(original, archive))
        for name, (attributes, _) in before.items():
            self.assertEqual(after[name][0], attributes, name)

    def test_h5_without_a_template(self):
        original, archive, _ = self.quantized(write_h5, "model.h5")
        decoded = self.path("decoded.h5")
        self.pqw("decode", archive, "-o", decoded)
        before = {name: item for name, item in content(original).items() if item[1] is not None}
        after = {name: item for name, item in content(decoded).items() if item[1] is not None}
        self.check_values(before, after, self.error_of(original, archive))

    def test_keras(self):
        original, archive, copy = self.quantized(write_keras, "model.keras")
        self.check_kinds(original, **{"fc1/vars/0": "linear", "conv1/vars/0": "conv"})
        before, after = zipfile.ZipFile(original), zipfile.ZipFile(copy)
        self.assertIsNone(after.testzip())
        self.assertEqual(after.namelist(), before.namelist())
        for name in ("metadata.json", "config.json"):
            self.assertEqual(after.read(name), before.read(name))
        weights = [content(io.BytesIO(file.read("model.weights.h5"))) for file in (before, after)]
        self.check_values(*weights, self.error_of(original, archive))


if __name__ == "__main__":
    unittest.main()
