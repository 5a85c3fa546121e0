"""The digit classifier of tests/data, whose README says the layers, and its test images."""
import os

import numpy as np

from tool import ROOT, safetensors_io

DATA = ROOT / "tests/data"
N_RIGHT = 1987  # of the original, as that README says


def weights():
    return safetensors_io.read(DATA / "digits.safetensors")


def test_images():
    """Pixels [n, 1, 28, 28] and labels [n]."""
    test = safetensors_io.read(DATA / "digits_test.safetensors")
    return test["images"][:, None].astype(np.float32) / 255, test["labels"]


def right(outputs, labels):
    return int((outputs.argmax(1) == labels).sum())


def keras_weights():
    """{layer: {kernel, bias}} in the order of Keras, whose images have the channels last."""
    w = weights()
    fc1 = w["fc1.weight"].reshape(128, 64, 7, 7)
    kernels = {
        "conv1": w["conv1.weight"].transpose(2, 3, 1, 0), "conv2": w["conv2.weight"].transpose(2, 3, 1, 0),
        "fc1": fc1.transpose(2, 3, 1, 0).reshape(3136, 128), "fc2": w["fc2.weight"].T,
    }
    return {layer: {"kernel": np.ascontiguousarray(kernel), "bias": w[f"{layer}.bias"]}
            for layer, kernel in kernels.items()}


def keras_config():
    """The network as Keras' model.to_json() says it."""
    def layer(kind, name, **config):
        return {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}

    def conv(name, filters, **config):
        return layer("Conv2D", name, filters=filters, kernel_size=[3, 3], strides=[1, 1], padding="same",
                     data_format="channels_last", activation="relu", use_bias=True, **config)

    def pool(name):
        return layer("MaxPooling2D", name, pool_size=[2, 2], strides=[2, 2], padding="valid",
                     data_format="channels_last")

    layers = [
        conv("conv1", 32, batch_input_shape=[None, 28, 28, 1]), pool("pool1"),
        conv("conv2", 64), pool("pool2"), layer("Flatten", "flatten"),
        layer("Dense", "fc1", units=128, activation="relu", use_bias=True),
        layer("Dense", "fc2", units=10, activation="linear", use_bias=True),
    ]
    return {"class_name": "Sequential", "config": {"name": "digits", "layers": layers}}


def print_figures(name, counts, paths):
    """How many of the 2,000 images each network gets right, and sizes of files."""
    figures = [f"{label} {count / 20:.2f} %" for label, count in counts.items()]
    sizes = [f"{os.path.basename(path)} {os.path.getsize(path)}" for path in paths]
    print(f"\n  {name}: {', '.join(figures)}; bytes: {', '.join(sizes)}", flush=True)
