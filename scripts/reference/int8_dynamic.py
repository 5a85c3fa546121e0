#!/usr/bin/env python3
"""torch.quantization.quantize_dynamic beside pqw's int8, on the same linear layer and inputs.

Run (needs numpy and torch, and pqw and pqw_bench_linear built):
    python3 scripts/reference/int8_dynamic.py --build build/release
    python3 scripts/reference/int8_dynamic.py --build build/release --file model.safetensors

A float layer is quantized by torch; its int8 values, scales and zero points are written as
fc.weight, fc.scale and fc.zero_point, adopted by `pqw quantize --codec int8` and multiplied by pqw
with the same inputs. What is checked:
    decoded    pqw's floats are torch's dequantize() to the bit
    between    |y_torch - y_pqw| in units of s Σ|w|, s the step of the inputs: both may be off by
               half a step for every input, so at most 1 when torch uses all 256 levels (engines that
               keep to 7 bits have steps twice as large and are measured in those)
and for both, the relative L2 error against the product in double of the inputs with the dequantized
weight. The last columns are pqw's own scales (from_float) against the product with the float weight.
Exits with 1 when a check fails.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch

import safetensors_io

# Sizes and means of inputs: weights are normal, as a freshly initialised layer has them.
SHAPES = [(64, 64), (33, 150), (1024, 1024), (256, 4096)]


def relative_l2(y, expected):
    return float(np.linalg.norm(y - expected) / np.linalg.norm(expected))


def torch_layers(weight, bias, per_channel):
    """The float layer quantized by torch, and its int8 parts."""
    linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(weight.copy()))
        linear.bias.copy_(torch.from_numpy(bias.copy()))
    config = (torch.quantization.per_channel_dynamic_qconfig if per_channel
              else torch.quantization.default_dynamic_qconfig)
    quantized = torch.quantization.quantize_dynamic(torch.nn.Sequential(linear),
                                                    {"0": config}, dtype=torch.qint8)
    packed = quantized[0].weight()
    if per_channel:
        scale, zero_point = packed.q_per_channel_scales(), packed.q_per_channel_zero_points()
    else:
        scale = torch.tensor([packed.q_scale()], dtype=torch.float64)
        zero_point = torch.tensor([packed.q_zero_point()], dtype=torch.int64)
    tensors = {"fc.weight": packed.int_repr().numpy(), "fc.scale": scale.double().numpy(),
               "fc.zero_point": zero_point.long().numpy(), "fc.bias": bias}
    return quantized, packed.dequantize().numpy(), tensors


class Pqw:
    """pqw's command-line tools on files of a directory."""

    def __init__(self, build, directory):
        self.build, self.directory = pathlib.Path(build), pathlib.Path(directory)

    def quantize(self, tensors, name):
        path = self.directory / (name + ".safetensors")
        safetensors_io.write(path, tensors)
        archive = self.directory / (name + ".h5")
        self.run("tools/cli/pqw", "quantize", path, "-o", archive, "--force", "--quiet",
                 "--codec", "int8", "--activations", "batch")
        return archive

    def decode(self, archive):
        path = self.directory / "decoded.safetensors"
        self.run("tools/cli/pqw", "decode", archive, "-o", path, "--force", "--quiet")
        return safetensors_io.read(path)

    def forward(self, archive, x):
        np.save(self.directory / "x.npy", x)
        self.run("tools/bench/pqw_bench_linear", archive, "fc.weight", self.directory / "x.npy",
                 self.directory / "y.npy", "--bias", "fc.bias", "--precision", "fast")
        return np.load(self.directory / "y.npy")

    def run(self, tool, *arguments):
        subprocess.run([self.build / tool, *map(str, arguments)], check=True,
                       stdout=subprocess.DEVNULL)


def compare(pqw, weight, bias, x, per_channel, levels):
    quantized, dequantized, tensors = torch_layers(weight, bias, per_channel)
    archive = pqw.quantize(tensors, "adopted")
    decoded_equal = np.array_equal(pqw.decode(archive)["fc.weight"], dequantized)
    y_torch = quantized(torch.from_numpy(x)).detach().numpy()
    y_pqw = pqw.forward(archive, x)
    exact = x.astype(np.float64) @ dequantized.astype(np.float64).T + bias
    step = (max(x.max(), 0) - min(x.min(), 0)) / levels
    allowed = step * np.abs(dequantized).astype(np.float64).sum(1)
    own = pqw.forward(pqw.quantize({"fc.weight": weight, "fc.bias": bias}, "own"), x)
    real = x.astype(np.float64) @ weight.astype(np.float64).T + bias
    return {"decoded": decoded_equal,
            "between": float((np.abs(y_torch - y_pqw) / allowed).max()),
            "torch": relative_l2(y_torch, exact), "pqw": relative_l2(y_pqw, exact),
            "torch_float": relative_l2(y_torch, real), "pqw_float": relative_l2(own, real)}


def layers(options):
    """(name, weight) of each layer: those of a file, or random ones."""
    if options.file:
        for name, array in safetensors_io.read(options.file).items():
            if (array.ndim == 2 and array.dtype.kind == "f" and array.shape[0] <= 4096
                    and re.search(options.tensor, name)):
                yield name, array.astype(np.float32)
        return
    random = np.random.default_rng(0)
    for rows, cols in SHAPES:
        yield "normal", (random.standard_normal((rows, cols)) / np.sqrt(cols)).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="build directory of pqw")
    parser.add_argument("--file", help="safetensors file whose matrices are the layers")
    parser.add_argument("--tensor", default="", metavar="RE", help="only names that match")
    parser.add_argument("--engine", choices=torch.backends.quantized.supported_engines)
    options = parser.parse_args()
    engines = [options.engine] if options.engine else [
        engine for engine in torch.backends.quantized.supported_engines if engine != "none"]
    line = "{:8} {:28} {:>10} {:7} {:>5} {:>7} {:>8} {:>8} {:>8} {:>11} {:>9}"
    print(line.format("engine", "weight", "shape", "scales", "batch", "decoded", "between", "torch",
                      "pqw", "torch float", "pqw float"))
    failed = False
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as directory:
        pqw = Pqw(options.build, directory)
        for engine in engines:
            torch.backends.quantized.engine = engine
            levels = 255 if engine == "qnnpack" else 127  # the others keep to 7 bits
            for name, weight in layers(options):
                for per_channel in (False, True):
                    for batch, mean in ((1, 0), (32, 0.5)):
                        x = random.normal(mean, 1, (batch, weight.shape[1])).astype(np.float32)
                        bias = random.normal(0, 0.1, weight.shape[0]).astype(np.float32)
                        result = compare(pqw, weight, bias, x, per_channel, levels)
                        failed |= not result["decoded"] or result["between"] > 1
                        print(line.format(
                            engine, name[-28:], "x".join(map(str, weight.shape)),
                            "row" if per_channel else "tensor", batch,
                            "equal" if result["decoded"] else "DIFFER",
                            *(f"{result[key]:.5f}" for key in
                              ("between", "torch", "pqw", "torch_float", "pqw_float"))),
                            flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
