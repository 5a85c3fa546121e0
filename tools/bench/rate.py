#!/usr/bin/env python3
"""Bits per weight against error on the largest tensors of a weight file: the codecs of pqw beside
what else people use. All bits are counted from files on disk.

Each contender is measured at some points. The table shows, for each point, the bits, the relative
error of all weights together, and the decibels that are missing to the bound of independent normal
weights (6.02 dB a bit); above 0 the codec gains from what the weights have in common.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy

import rate_plot
import rate_rivals

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GGML = "build/clients/node_modules/@node-llama-cpp/*/bins/*/libggml-base.so"
DTYPES = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}
GAIN = ["--gain", "least_squares", "--thin", "same"]
PQ = ["--codec", "pq"]
BLOCKS = [["--block-size", str(d), "--centroids", str(k)]
          for d, k in ((8, 256), (8, 1024), (4, 64), (4, 256), (4, 1024), (2, 64), (2, 256))]
LAMBDAS = [0.3, 0.1, 0.03, 0.01, 0.003]
TCQ = ["--codec", "tcq", "--gain", "least_squares", "--scales", "none", "--lambda", "0.3"]
ONE_STEP = TCQ + ["--thin", "same", "--step-unit", "absolute"]

# Contender -> settings of its points.
POINTS = {
    "fairseq's schedule": [PQ + ["--block-size", "auto", "--init", "random", "--iterations", "15",
                                 "--gain", "none", "--entropy-coding", "off"]],
    "pq, packed codes": [PQ + GAIN + ["--entropy-coding", "off"] + block for block in BLOCKS],
    "pq": [PQ + GAIN + block for block in BLOCKS],
    "pq, ECVQ": [PQ + GAIN + ["--block-size", str(d), "--centroids", "256", "--lambda", str(value)]
                 for d in (4, 2) for value in LAMBDAS],
    "pq, additive": [PQ + GAIN + ["--block-size", "8", "--additive", str(n)] for n in (2, 3)],
    "tcq": [TCQ + ["--bits", str(bits)] for bits in (1, 1.5, 2, 2.5, 3, 4)],
    "int8": [["--codec", "int8", "--gain", "least_squares"]],
}


def read_safetensors(path):
    """Name -> array, of the float tensors."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if entry.get("dtype") not in DTYPES:
            continue
        first, last = entry["data_offsets"]
        values = numpy.frombuffer(data[8 + size + first:8 + size + last], DTYPES[entry["dtype"]])
        tensors[name] = values.astype("<f4").reshape(entry["shape"])
    return tensors


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape),
                        "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in tensors.values():
            file.write(values.tobytes())


def largest(tensors, count):
    """The largest tensors of two or more dimensions."""
    names = [name for name, values in tensors.items() if values.ndim >= 2]
    names.sort(key=lambda name: (-tensors[name].size, name))
    return {name: tensors[name] for name in names[:count]}


def rms(tensors):
    n_weights = sum(values.size for values in tensors.values())
    return (sum(float((values.astype("f8") ** 2).sum()) for values in tensors.values())
            / n_weights) ** 0.5


def run_pqw(pqw, weights, settings, folder):
    """Bits per weight of the archive, and the relative error of all compressed weights."""
    archive = folder / "rate.pqw.h5"
    command = [pqw, "quantize", weights, "-o", archive, "--force", "--quiet", "--json", *settings]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"rate.py: {done.stderr.strip()}")
    total = json.loads(done.stdout)["total"]
    return total["bits_per_weight"], total["relative_error"]


def run_rival(encode, tensors, folder):
    """The same for a function of rate_rivals: the file has the bytes of all tensors."""
    path, error, energy = folder / "rate.rival", 0.0, 0.0
    with open(path, "wb") as file:
        for values in tensors.values():
            data, decoded = encode(values)
            file.write(data)
            error += float(((values.astype("f8") - decoded) ** 2).sum())
            energy += float((values.astype("f8") ** 2).sum())
    n_weights = sum(values.size for values in tensors.values())
    return 8 * path.stat().st_size / n_weights, error / energy


def short(settings):
    """--block-size 4 --centroids 256 as block_size=4,centroids=256, without what all points share."""
    pairs = zip(settings[::2], settings[1::2])
    left_out = ("--codec", "--gain", "--thin", "--entropy-coding", "--scales")
    return ",".join(f"{key[2:].replace('-', '_')}={value}" for key, value in pairs
                    if key not in left_out)


def measure(options, tensors, folder):
    """Rows of contender, settings, bits, error."""
    weights = folder / "rate.safetensors"
    write_safetensors(weights, tensors)
    for contender, points in POINTS.items():
        for settings in points:
            yield (contender, short(settings), *run_pqw(options.program, weights, settings, folder))
    scale = rms(tensors)
    for share in (0.3, 0.45, 0.6, 0.9, 1.2):  # one step for all tensors: the least total error
        settings = ONE_STEP + ["--step", str(share * scale)]
        yield ("tcq, one step", f"step={share} rms",
               *run_pqw(options.program, weights, settings, folder))
    for name, encode in rate_rivals.rivals(options.ggml).items():
        yield (name, "", *run_rival(encode, tensors, folder))


def decibels(bits, error):
    """Beyond the bound of independent normal weights, whose error is at least 4^-bits."""
    return -10 * numpy.log10(error) - 20 * numpy.log10(2) * bits


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="pqw")
    parser.add_argument("weights", nargs="?", type=pathlib.Path,
                        default=ROOT / "tests/data/digits.safetensors",
                        help="safetensors file (default: %(default)s)")
    parser.add_argument("--largest", type=int, default=5,
                        help="how many of its largest tensors (default %(default)s)")
    parser.add_argument("--ggml", type=pathlib.Path, default=next(ROOT.glob(GGML), None),
                        help="libggml-base.so (default: that of npm's @node-llama-cpp/linux-x64, "
                             "which scripts/bench installs)")
    parser.add_argument("--svg", type=pathlib.Path, help="also draw the points into this file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    tensors = largest(read_safetensors(options.weights), options.largest)
    rows = []
    with tempfile.TemporaryDirectory(prefix="pqw_rate.") as folder:
        if not options.json:
            n_weights = sum(values.size for values in tensors.values())
            print(f"{options.weights.name}: {n_weights} weights of {', '.join(tensors)}")
            print(f"{'contender':<20}{'settings':<46}{'bits':>8}{'error':>10}{'dB':>8}")
        for contender, settings, bits, error in measure(options, tensors, pathlib.Path(folder)):
            rows.append({"contender": contender, "settings": settings, "bits_per_weight": bits,
                         "relative_error": error, "db_beyond_bound": decibels(bits, error)})
            if not options.json:
                print(f"{contender:<20}{settings:<46}{bits:>8.3f}{error:>10.5f}"
                      f"{decibels(bits, error):>8.2f}", flush=True)
    if options.json:
        print(json.dumps({"weights": str(options.weights), "tensors": list(tensors), "points": rows},
                         indent=2))
    if options.svg:
        options.svg.write_text(rate_plot.svg(options.weights.name, rows))


if __name__ == "__main__":
    main()
