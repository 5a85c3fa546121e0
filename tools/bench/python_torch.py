#!/usr/bin/env python3
"""How fast pqw.torch.serve is beside PyTorch: nn.Linear in float32 and dynamic int8, in one process.

The answers are checked first. The contenders take turns; ratios are of medians. The line "after
float32" times one served call right after a call of float32, whose idle threads still spin.
"""
import argparse
import copy
import ctypes
import gc
import json
import multiprocessing
import os
import pathlib
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "build/release/python"))

os.environ.setdefault("GLOG_minloglevel", "2")  # qnnpack warns in every call
import torch  # noqa: E402
from torch import nn  # noqa: E402

import pqw  # noqa: E402
import pqw.torch  # noqa: E402

BOUNDS = {"high": 1e-4, "fast": 1.5e-2}  # docs/serving.md
PAUSE = 0.03  # seconds until idle threads of OpenBLAS sleep
WARM_UP = 5  # calls
CLOCKS = {"wall": time.perf_counter, "processor": time.thread_time}


def set_threads(n):
    """Of PyTorch, whose OpenMP pqw shares, and of OpenBLAS, which multiplies for PyTorch."""
    torch.set_num_threads(n)
    ctypes.CDLL("libopenblas.so.0").openblas_set_num_threads(n)


def archive_of(rows, cols, folder):
    """An archive of a random weight. Few iterations: codes of any codebook take the same time."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(cols, rows, bias=True))
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    path = pathlib.Path(folder, "linear.h5")
    pqw.compress(state, path, codec="pq", block_size=8, iterations=1)
    pqw.torch.load_into(model, path)
    return model.eval().requires_grad_(False), path


def dynamic_int8(model, x, clock):
    """The fastest engine for int8 that this PyTorch has."""
    models = []
    for engine in set(torch.backends.quantized.supported_engines) - {"none"}:
        torch.backends.quantized.engine = engine
        quantized = torch.ao.quantization.quantize_dynamic(copy.deepcopy(model), {nn.Linear})
        models.append((statistics.median(times(quantized, x, 20, clock)), engine, quantized))
    _, engine, quantized = min(models, key=lambda item: item[0])
    torch.backends.quantized.engine = engine
    return engine, quantized


def times(model, x, n, clock):
    """The seconds of each of n calls, after some calls to wake the threads."""
    seconds = []
    for i in range(-WARM_UP, n):
        start = clock()
        model(x)
        if i >= 0:
            seconds.append(clock() - start)
    return seconds


def check(contenders, model, x):
    """Prints the errors; stops if a served answer is wrong."""
    reference = copy.deepcopy(model).double()(x.double())
    for name, contender in contenders.items():
        error = float((contender(x).double() - reference).norm() / reference.norm())
        bound = BOUNDS.get(name, 0.05)
        print(f"  {name}: error {error:.1e}", file=sys.stderr)
        if not error <= bound:
            sys.exit(f"python_torch.py: the error of {name} is {error:g}, expected {bound:g} at most")


def measure(model, path, batch, n_threads, rounds, calls, clock):
    """Name of a contender -> median seconds of a call, and the engine of int8."""
    set_threads(n_threads)
    torch.manual_seed(1)
    x = torch.randn(batch, model[0].in_features)
    engine, int8 = dynamic_int8(model, x, clock)
    contenders = {"float32": model, "int8": int8}
    for precision in BOUNDS:
        contenders[precision] = copy.deepcopy(model)
        pqw.torch.serve(contenders[precision], path, precision=precision)
    check(contenders, model, x)
    seconds = {name: [] for name in [*contenders, "after float32"]}
    for _ in range(rounds):
        for name, contender in contenders.items():
            time.sleep(PAUSE)
            seconds[name].append(statistics.median(times(contender, x, calls, clock)))
        model(x)
        start = clock()
        contenders["high"](x)
        seconds["after float32"].append(clock() - start)
    return {name: statistics.median(all_) for name, all_ in seconds.items()}, engine


def resident():
    """MB of memory that the process has."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def stack(rows, cols, n_layers=4):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(cols, rows) for _ in range(n_layers)))


def write_stack(rows, cols, path):
    arrays = {name: value.numpy() for name, value in stack(rows, cols).state_dict().items()}
    pqw.compress(arrays, path, codec="pq", block_size=8, iterations=1)


def measure_memory(rows, cols, folder):
    """MB that layers take in float32, and served. Another process makes the archive."""
    path = pathlib.Path(folder, "layers.h5")
    writer = multiprocessing.get_context("fork").Process(target=write_stack, args=(rows, cols, path))
    writer.start()
    writer.join()
    before = resident()
    model = stack(rows, cols)
    dense = resident() - before
    pqw.torch.serve(model, path)
    gc.collect()
    return {"layers": len(model), "dense": dense, "served": resident() - before}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench python_torch", description=__doc__)
    parser.add_argument("--shape", default="4096x4096", help="rows x columns")
    parser.add_argument("--batch", default="1,16")
    parser.add_argument("--threads", default=f"1,{len(os.sched_getaffinity(0))}")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=20, help="of each contender in a round")
    parser.add_argument("--clock", choices=CLOCKS, default="wall",
                        help="processor: the time of one thread, for a busy machine")
    parser.add_argument("--memory", action="store_true", help="measure memory in place of time")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, cols = map(int, options.shape.split("x"))
    if options.memory:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure_memory(rows, cols, folder)))
        return
    results = []
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        model, path = archive_of(rows, cols, folder)
        for n_threads in map(int, options.threads.split(",")):
            for batch in map(int, options.batch.split(",")):
                seconds, engine = measure(model, path, batch, n_threads, options.rounds,
                                          options.calls, CLOCKS[options.clock])
                results.append({"threads": n_threads, "batch": batch, "seconds": seconds,
                                "int8_engine": engine})
    if options.json:
        print(json.dumps({"shape": [rows, cols], "torch": torch.__version__, "results": results}))
        return
    print(f"{rows} x {cols}, K=256, d=8, PyTorch {torch.__version__}: microseconds, and times as fast")
    print(f"{'threads':>7} {'batch':>5} {'float32':>8} {'int8':>8} {'engine':>8} {'high':>8} {'fast':>8}"
          f" {'high/f32':>8} {'high/int8':>9} {'fast/f32':>8} {'fast/int8':>9} {'after f32':>9}")
    for result in results:
        s = {name: 1e6 * value for name, value in result["seconds"].items()}
        print(f"{result['threads']:7} {result['batch']:5} {s['float32']:8.0f} {s['int8']:8.0f}"
              f" {result['int8_engine']:>8} {s['high']:8.0f} {s['fast']:8.0f}"
              f" {s['float32'] / s['high']:8.1f} {s['int8'] / s['high']:9.1f}"
              f" {s['float32'] / s['fast']:8.1f} {s['int8'] / s['fast']:9.1f}"
              f" {s['after float32']:9.0f}")


if __name__ == "__main__":
    main()
