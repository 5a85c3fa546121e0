#!/usr/bin/env python3
"""Product quantization on fairseq's schedule: the error that pqw's own encoder has to beat.

Run (needs numpy and torch):
    python3 scripts/reference/fairseq_pq.py model.safetensors --top 4

Each weight is flattened to [out, rest] and cut into blocks of consecutive columns of a row; the
last block of a row is padded with zeros that are not counted in the errors. Then, as fairseq does
("Training with Quantization Noise for Extreme Model Compression", Fan et al., 2020):
    start    K blocks drawn uniformly, with replacement
    E-step   every block goes to its nearest centroid in L2
    empties  while a cluster is empty: one of the empty ones and the fullest become c + e and c - e,
             e ~ N(0, eps^2), and all blocks are assigned again; past max_tentatives EM gives up,
             keeping what it has
    M-step   a centroid becomes the mean of its blocks
for a fixed number of iterations, and no E-step after the last M-step.
"""
import argparse
import json
import math
import os
import re
import sys
import time

import numpy as np
import torch

import safetensors_io

EPS, MAX_TENTATIVES = 1e-6, 100  # fairseq's own settings
CHUNK_BLOCKS = 8192  # blocks per product: the distances of a chunk stay in the cache
CHUNK_FLOATS = 1 << 28  # floats of one broadcast: 1 GiB


class UnresolvedEmptyClusters(Exception):
    pass


def nearest_by_product(blocks, centroids):
    """argmin_k ||c_k||^2 - 2 x.c_k, which orders centroids as ||x - c_k|| does. [N, d] -> [N]."""
    squares = (centroids * centroids).sum(1)
    found = [torch.addmm(squares, part, centroids.T, alpha=-2).numpy().argmin(1)
             for part in blocks.split(CHUNK_BLOCKS)]
    return torch.from_numpy(np.concatenate(found))


def nearest_by_broadcast(blocks, centroids):
    """fairseq's form: all K x d x N differences, as many centroids at a time as memory allows."""
    at_once = max(1, CHUNK_FLOATS // blocks.numel())
    distances = [(blocks.T[None, :, :] - part[:, :, None]).norm(p=2, dim=1)
                 for part in centroids.split(at_once)]
    return torch.cat(distances).argmin(0)


def resolve_empty_clusters(blocks, centroids, codes, nearest, generator):
    """Splits the fullest cluster until none is empty; changes `centroids`, returns the codes."""
    n_centroids, block_size = centroids.shape
    counts = codes.bincount(minlength=n_centroids)
    tentatives = 0
    while (counts == 0).any():
        empty = (counts == 0).nonzero().flatten()
        k = empty[torch.randint(len(empty), (1,), generator=generator)].item()
        m = counts.argmax().item()
        e = torch.randn(block_size, generator=generator).to(centroids.dtype) * EPS
        centroids[k] = centroids[m] + e
        centroids[m] -= e
        codes = nearest(blocks, centroids)
        counts = codes.bincount(minlength=n_centroids)
        if tentatives == MAX_TENTATIVES:  # as in fairseq, even if this try worked
            raise UnresolvedEmptyClusters
        tentatives += 1
    return codes


def cluster_means(blocks, codes, n_centroids):
    sums = torch.zeros(n_centroids, blocks.shape[1], dtype=torch.float64)
    sums.index_add_(0, codes, blocks.double())
    return (sums / codes.bincount(minlength=n_centroids)[:, None]).to(blocks.dtype)


def run_em(blocks, options):
    """blocks [N, d] -> centroids [K, d], codes [N], finished iterations."""
    nearest = nearest_by_broadcast if options.broadcast else nearest_by_product
    generator = torch.Generator().manual_seed(options.seed)
    start = torch.randint(len(blocks), (options.centroids,), generator=generator)
    centroids, codes, finished = blocks[start].clone(), None, 0
    for _ in range(options.iterations):
        codes = nearest(blocks, centroids)
        try:
            codes = resolve_empty_clusters(blocks, centroids, codes, nearest, generator)
        except UnresolvedEmptyClusters:
            codes = nearest(blocks, centroids)
            break
        centroids = cluster_means(blocks, codes, options.centroids)
        finished += 1
    if options.final_assign:
        codes = nearest(blocks, centroids)
    return centroids, codes, finished


def to_blocks(weight, block_size):
    """[out, cols] -> [P * out, d], position-major: block (r, p) is row p * out + r."""
    rows, cols = weight.shape
    padded = torch.nn.functional.pad(weight, (0, -cols % block_size))
    return padded.reshape(rows, -1, block_size).transpose(0, 1).reshape(-1, block_size).contiguous()


def from_blocks(blocks, rows, cols):
    """The inverse of to_blocks; the padding is dropped."""
    positions = len(blocks) // rows
    return blocks.reshape(positions, rows, -1).transpose(0, 1).reshape(rows, -1)[:, :cols]


def relative_error(squared_error, squared_norm):
    """0 for a weight of zeros, which every codebook drawn from it holds exactly."""
    return squared_error / squared_norm if squared_norm else 0.0


def quantize(name, array, options):
    """Returns one line of the report, as a dictionary."""
    weight = torch.from_numpy(array.reshape(array.shape[0], -1).astype(np.float64))
    blocks = to_blocks(weight, options.block_size)
    start = time.perf_counter()
    centroids, codes, finished = run_em(blocks if options.float64 else blocks.float(), options)
    seconds = time.perf_counter() - start
    if options.fp16_codebook:
        centroids = centroids.half()
    decoded = from_blocks(centroids.double()[codes], *weight.shape)
    squared_error = (weight - decoded).square().sum().item()
    squared_norm = weight.square().sum().item()
    return {"name": name, "shape": list(array.shape), "iterations": finished, "seconds": seconds,
            "squared_error": squared_error, "squared_norm": squared_norm,
            "relative_error": relative_error(squared_error, squared_norm)}


def choose(tensors, options):
    """The float tensors of rank >= 2 that the options ask for, in file order."""
    names = [name for name, array in tensors.items()
             if array.ndim >= 2 and array.dtype.kind == "f" and array.size >= options.min_elements
             and (not options.tensor or any(re.search(rx, name) for rx in options.tensor))]
    if options.top:
        largest = sorted(names, key=lambda name: -tensors[name].size)[:options.top]
        names = [name for name in names if name in largest]
    return names


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="safetensors file")
    parser.add_argument("--block-size", type=int, default=4)
    parser.add_argument("--centroids", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0, help="of every tensor's generator")
    parser.add_argument("--tensor", action="append", metavar="RE",
                        help="only names that match; repeatable")
    parser.add_argument("--top", type=int, metavar="N", help="only the N largest")
    parser.add_argument("--min-elements", type=int, default=1, metavar="N")
    parser.add_argument("--final-assign", action="store_true", help="one more E-step at the end")
    parser.add_argument("--fp16-codebook", action="store_true", help="round the codebook before "
                        "measuring")
    parser.add_argument("--float64", action="store_true", help="EM in double precision")
    parser.add_argument("--broadcast", action="store_true", help="distances the way fairseq ships "
                        "them; slow")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main():
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    tensors = safetensors_io.read(options.file)
    names = choose(tensors, options)
    if not names:
        sys.exit(f"{options.file}: no float tensor of rank >= 2 matches")
    line = "{:40} {:20} {:>10} {:>5} {:>8}"
    if not options.json:
        print(line.format("name", "shape", "rel.error", "iter", "seconds"))
    results = []
    for name in names:
        result = quantize(name, tensors[name], options)
        results.append(result)
        if not options.json:
            shape = "x".join(map(str, result["shape"]))
            print(line.format(name, shape, f"{result['relative_error']:.6f}", result["iterations"],
                              f"{result['seconds']:.3f}"), flush=True)
    total = {key: math.fsum(result[key] for result in results)
             for key in ("squared_error", "squared_norm", "seconds")}
    total["relative_error"] = relative_error(total["squared_error"], total["squared_norm"])
    if options.json:
        print(json.dumps({"options": vars(options), "pooled": total, "tensors": results}, indent=1))
    else:
        print(line.format("pooled", f"{len(results)} tensors", f"{total['relative_error']:.6f}", "",
                          f"{total['seconds']:.3f}"))


if __name__ == "__main__":
    main()
