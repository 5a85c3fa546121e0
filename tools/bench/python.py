#!/usr/bin/env python3
"""What a call of pqw.Linear from Python costs beside the same call in C++, in one process.

The answers are checked first. The contenders take turns; medians are reported.
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "build/release/python"), str(ROOT / "build/release/tools/bench")]

import numpy as np  # noqa: E402

import pqw  # noqa: E402
import pqw_bench_python  # noqa: E402


def archive_of(rows, cols, folder):
    """An archive of a random weight. Few iterations: codes of any codebook take the same time."""
    path = pathlib.Path(folder) / "linear.h5"
    w = np.random.default_rng(0).standard_normal((rows, cols), "float32")
    pqw.compress({"w": w}, path, codec="pq", block_size=8, thin="same", iterations=1)
    return path


def seconds_of(call, n):
    """The seconds of each of n calls."""
    clock, seconds = time.perf_counter, []
    for _ in range(n):
        start = clock()
        call()
        seconds.append(clock() - start)
    return seconds


def measure(path, batch, precision, rounds, calls):
    """Name of a contender -> median seconds of a call."""
    weight = pqw.open(path)["w"]
    layer = pqw.Linear(weight, precision=precision)
    clock = pqw_bench_python.LinearClock(str(path), "w", precision)
    x = np.random.default_rng(1).standard_normal((batch, layer.in_features), "float32")
    y = np.empty((batch, layer.out_features), "float32")
    clock.forward(x, y, 1)
    if not np.array_equal(y, layer(x)):
        sys.exit("python.py: the answers of C++ and Python differ")
    out = np.empty_like(y)
    contenders = {
        "C++": lambda: clock.forward(x, y, calls),
        "Python": lambda: seconds_of(lambda: layer(x), calls),
        "Python, out=": lambda: seconds_of(lambda: layer(x, out=out), calls),
    }
    seconds = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            seconds[name].append(statistics.median(run()))
    return {name: statistics.median(medians) for name, medians in seconds.items()}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench python", description=__doc__)
    parser.add_argument("--shape", default="4096x4096", help="rows x columns")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", default="high")
    parser.add_argument("--rounds", type=int, default=51)
    parser.add_argument("--calls", type=int, default=20, help="of each contender in a round")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, cols = map(int, options.shape.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        path = archive_of(rows, cols, folder)
        medians = measure(path, options.batch, options.precision, options.rounds, options.calls)
    if options.json:
        print(json.dumps({"shape": [rows, cols], "batch": options.batch, "seconds": medians}))
        return
    print(f"{rows} x {cols}, K=256, d=8, batch {options.batch}, {options.precision}")
    print(f"{'':14}{'us a call':>10}{'over C++':>10}")
    for name, seconds in medians.items():
        print(f"{name:14}{1e6 * seconds:10.2f}{1e6 * (seconds - medians['C++']):10.2f}")


if __name__ == "__main__":
    main()
