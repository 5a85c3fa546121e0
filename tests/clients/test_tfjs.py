"""TensorFlow.js runs the digit classifier with decoded weights, from float and quantized originals."""
import base64
import json
import os
import subprocess
import unittest

import numpy as np

import digits
from tool import ROOT, ClientTest, documented

N_IMAGES = 100  # of 2,000: plain JavaScript is slow


def quantized(value, dtype):
    """Integers and the entry of the manifest, as the converter of TensorFlow.js makes them."""
    low, high = float(value.min()), float(value.max())
    scale = (high - low) / np.iinfo(dtype).max
    stored = np.round((value - low) / scale).astype(dtype)
    return stored, {"dtype": np.dtype(dtype).name, "scale": scale, "min": low}


def write_model(folder, dtype=None):
    """A model.json of layers with two shards, the first of which ends inside of a tensor."""
    os.makedirs(folder)
    data, specs = b"", []
    for layer, weights in digits.keras_weights().items():
        for name, value in weights.items():
            spec = {"name": f"{layer}/{name}", "shape": list(value.shape), "dtype": "float32"}
            if dtype:
                value, spec["quantization"] = quantized(value, dtype)
            data += value.tobytes()
            specs.append(spec)
    shards = {"group1-shard1of2.bin": data[:100001], "group1-shard2of2.bin": data[100001:]}
    for name, content in shards.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
    topology = {"keras_version": "2.11.0", "backend": "tensorflow", "model_config": digits.keras_config()}
    with open(os.path.join(folder, "model.json"), "w") as file:
        json.dump({"format": "layers-model", "modelTopology": topology,
                   "weightsManifest": [{"paths": list(shards), "weights": specs}]}, file)


def run_tfjs(models, x):
    request = {"modules": str(ROOT / "build/clients/node_modules"), "models": models,
               "x": {"dims": list(x.shape), "data": base64.b64encode(x.tobytes()).decode()}}
    done = subprocess.run(["node", str(ROOT / "tests/clients/run_tfjs.js")],
                          input=json.dumps(request), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"TensorFlow.js: {done.stderr}")
    return [np.frombuffer(base64.b64decode(y["data"]), np.float32).reshape(y["dims"])
            for y in json.loads(done.stdout)]


class TfjsTest(ClientTest):
    def test_decoded_model_runs(self):
        images, labels = digits.test_images()
        x = np.ascontiguousarray(images[:N_IMAGES].transpose(0, 2, 3, 1))
        for name, dtype in {"float": None, "uint16": np.uint16, "uint8": np.uint8}.items():
            with self.subTest(original=name):
                original, decoded = self.path(f"{name}/model.json"), self.path(f"{name}_decoded/model.json")
                archive, values = self.path(f"{name}.h5"), self.path(f"{name}.npz")
                write_model(self.path(name), dtype)
                os.makedirs(self.path(f"{name}_decoded"))
                self.pqw("quantize", original, "-o", archive)
                self.pqw("decode", archive, "-o", values)
                exec(documented("formats.md"), {"original": original, "values": values, "decoded": decoded})
                before, after = run_tfjs([original, decoded], x)
                error = float(np.sum((after - before) ** 2) / np.sum(before ** 2))
                print(f"\n  TensorFlow.js, {name}: original {digits.right(before, labels[:N_IMAGES])}, decoded "
                      f"{digits.right(after, labels[:N_IMAGES])} of {N_IMAGES}; error of outputs {error:.5f}")
                self.assertGreater(error, 0)
                self.assertLess(error, 4 * self.error_of(original, archive))
                self.assertGreaterEqual(digits.right(after, labels[:N_IMAGES]), N_IMAGES - 3)


if __name__ == "__main__":
    unittest.main()
