#!/usr/bin/env python3
"""Peak memory of `pqw quantize` on files much larger than their largest tensor, and of `pqw export`
on the archives of ONNX models, against the promise of three times the largest tensor + 64 MiB. The
peak is the larger one of pqw and of the process that parses HDF5 for it."""
import argparse
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile

from memory_models import MIB, WRITERS, write_model

PQ = ["--codec", "pq", "--centroids", 16, "--iterations", 2, "--block-size"]
CODECS = {"pq 1": [*PQ, 1], "pq 8": [*PQ, 8], "int8": ["--codec", "int8"]}
CASES = [("safetensors", "F32", "pq 8"), ("safetensors", "F32", "pq 1"),
         ("safetensors", "F16", "pq 8"), ("safetensors", "F16", "pq 1"),
         ("safetensors", "F64", "pq 8"), ("npz", "F32", "pq 8"), ("h5", "F32", "pq 8"),
         *((name, "F32", "int8") for name in WRITERS)]
COLUMNS = {"format": "<14", "verb": "<8", "dtype": ">5", "codec": ">5", "file_mib": ">8",
           "largest_tensor_mib": ">18", "peak_mib": ">8", "bound_mib": ">9"}


def peak_bytes(command):
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"memory.py: {' '.join(map(str, command))} failed")
    return usage.ru_maxrss * 1024


def peaks(pqw, folder, name, dtype, codec, tensor_bytes):
    """The size of the model, and the peak of each verb."""
    # In a process of its own: a program starts with the peak of the one that starts it.
    writer = multiprocessing.Process(target=write_model,
                                     args=(pqw, folder, name, tensor_bytes, dtype))
    writer.start()
    writer.join()
    if writer.exitcode != 0:
        sys.exit(f"memory.py: the model of format {name} was not written")
    model = pathlib.Path(folder) / WRITERS[name][0]
    size = sum(file.stat().st_size for file in pathlib.Path(folder).rglob("*"))
    archive = f"{folder}/out/" if model.is_dir() else f"{folder}/out.pqw.h5"
    always = ["--force", "--quiet"]
    result = {"quantize": peak_bytes([pqw, "quantize", model, "-o", archive, *CODECS[codec], *always])}
    if model.suffix == ".onnx":
        result["export"] = peak_bytes([pqw, "export", archive, "--template", model, "-o",
                                       f"{folder}/small.onnx", *always])
    return size, result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="pqw")
    parser.add_argument("--format", choices=WRITERS, help="only this format")
    parser.add_argument("--tensor-mib", type=int, default=64,
                        help="size of each of the 8 tensors (default 64)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    bound = 3 * options.tensor_mib * MIB + 64 * MIB
    rows = []
    for name, dtype, codec in CASES:
        if options.format not in (None, name):
            continue
        with tempfile.TemporaryDirectory(prefix="pqw_memory.") as folder:
            size, result = peaks(options.program, folder, name, dtype, codec,
                                 options.tensor_mib * MIB)
        rows += [{"format": name, "verb": verb, "dtype": dtype, "codec": codec,
                  "file_mib": size // MIB, "largest_tensor_mib": options.tensor_mib,
                  "peak_mib": peak // MIB, "bound_mib": bound // MIB}
                 for verb, peak in result.items()]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in [dict(zip(COLUMNS, COLUMNS)), *rows]:
            print(" ".join(format(row[key], layout) for key, layout in COLUMNS.items()))
    return any(row["peak_mib"] * MIB > bound for row in rows)


if __name__ == "__main__":
    sys.exit(main())
