#!/usr/bin/env python3
"""Peak memory of `pqw quantize` on files much larger than their largest tensor, against the promise
of three times the largest tensor + 64 MiB."""
import argparse
import json
import multiprocessing
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

MIB = 1 << 20
N_TENSORS = 8
ROWS = 2048
TYPES = {"F16": "e", "F32": "f", "F64": "d"}  # of struct
CASES = [("safetensors", "F32", 8), ("safetensors", "F32", 1), ("safetensors", "F16", 8),
         ("safetensors", "F16", 1), ("safetensors", "F64", 8), ("npz", "F32", 8), ("h5", "F32", 8)]
COLUMNS = {"format": "<12", "dtype": ">5", "block_size": ">10", "file_mib": ">8",
           "largest_tensor_mib": ">18", "peak_mib": ">8", "bound_mib": ">9"}


def write_safetensors(path, tensor_bytes, dtype):
    """Square matrices of about that many bytes, with values in -1..1."""
    size = struct.calcsize(TYPES[dtype])
    columns = tensor_bytes // ROWS // size
    n_bytes = ROWS * columns * size
    draw = random.Random(1).uniform
    values = struct.pack(f"<{MIB}{TYPES[dtype]}", *(draw(-1, 1) for _ in range(MIB)))
    values *= n_bytes // len(values) + 2
    header = {f"layer{i}.weight": {"dtype": dtype, "shape": [ROWS, columns],
                                   "data_offsets": [i * n_bytes, (i + 1) * n_bytes]}
              for i in range(N_TENSORS)}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for i in range(N_TENSORS):  # no two are equal
            file.write(memoryview(values)[i * size:][:n_bytes])


def write_model(pqw, path, tensor_bytes, dtype):
    if path.suffix == ".safetensors":
        return write_safetensors(path, tensor_bytes, dtype)
    plain = path.with_name("plain.safetensors")
    archive = path.with_name("plain.pqw.h5")
    write_safetensors(plain, tensor_bytes, dtype)
    for command in (["quantize", plain, "-o", archive, "--force", "--quiet", "--codec", "plain"],
                    ["decode", archive, "-o", path, "--force", "--quiet"]):
        subprocess.run([pqw, *map(str, command)], check=True, stdout=subprocess.DEVNULL)


def peak_bytes(command):
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"memory.py: {' '.join(map(str, command))} failed")
    return usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="pqw")
    parser.add_argument("--tensor-mib", type=int, default=64,
                        help="size of each of the 8 tensors (default 64)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    bound = 3 * options.tensor_mib * MIB + 64 * MIB
    rows = []
    with tempfile.TemporaryDirectory(prefix="pqw_memory.") as folder:
        for extension, dtype, block_size in CASES:
            model = pathlib.Path(folder) / f"model.{extension}"
            # In a process of its own: a program starts with the peak of the one that starts it.
            writer = multiprocessing.Process(target=write_model, args=(
                options.program, model, options.tensor_mib * MIB, dtype))
            writer.start()
            writer.join()
            peak = peak_bytes([options.program, "quantize", model, "-o", f"{folder}/out.pqw.h5",
                               "--force", "--quiet", "--centroids", 16, "--iterations", 2,
                               "--block-size", block_size])
            rows.append({"format": extension, "dtype": dtype, "block_size": block_size,
                         "file_mib": model.stat().st_size // MIB,
                         "largest_tensor_mib": options.tensor_mib, "peak_mib": peak // MIB,
                         "bound_mib": bound // MIB})
            model.unlink()
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in [dict(zip(COLUMNS, COLUMNS)), *rows]:
            print(" ".join(format(row[key], layout) for key, layout in COLUMNS.items()))
    return any(row["peak_mib"] * MIB > bound for row in rows)


if __name__ == "__main__":
    sys.exit(main())
