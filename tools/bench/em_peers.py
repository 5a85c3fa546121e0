#!/usr/bin/env python3
"""The contenders of the EM benchmark that are Python packages; run by em.py.

    em_peers.py CONTENDER BLOCKS D K ITERATIONS SEED ANSWER

BLOCKS is raw float32 [N][D]; what is written to ANSWER.* is said in em.h.
    sklearn          KMeans, Lloyd, random start; its labels are those of the final centroids
    torch-matmul     fairseq's schedule with distances by matrix product
    torch-broadcast  the same with all N x K x D differences, as fairseq ships it. One E-step and
                     one M-step of a subsample are timed first; if ITERATIONS of them on all blocks
                     would take more than BROADCAST_S seconds, that product is the result, which
                     leaves out the E-steps after reassigning empty clusters. No answer then.
The schedule ends in an M-step; the codes to the final centroids are found after the clock stopped.
Exit code 3: a package is missing.
"""
import argparse
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NOT_INSTALLED = 3
BROADCAST_FLOATS = 1 << 28  # of the subsample's differences
BROADCAST_S = 30

try:
    import numpy as np
except ImportError:
    sys.exit(NOT_INSTALLED)


class Clock:
    """CPU time of all threads and wall time of a `with` block."""

    def __enter__(self):
        self.cpu_s, self.wall_s = -time.process_time(), -time.perf_counter()
        return self

    def __exit__(self, *_):
        self.cpu_s += time.process_time()
        self.wall_s += time.perf_counter()

    def times(self, scale=1):
        return {"cpu_s": self.cpu_s * scale, "wall_s": self.wall_s * scale}


def run_sklearn(blocks, job):
    from sklearn.cluster import KMeans
    with Clock() as clock:
        model = KMeans(n_clusters=job.centroids, algorithm="lloyd", init="random", n_init=1,
                       max_iter=job.iterations, tol=0, random_state=job.seed).fit(blocks)
    return clock.times(), model.cluster_centers_, model.labels_


def import_fairseq_pq():
    import torch
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0)))))
    sys.path.insert(0, str(ROOT / "scripts" / "reference"))
    import fairseq_pq
    return torch, fairseq_pq


def run_fairseq(blocks, job, broadcast):
    torch, fairseq_pq = import_fairseq_pq()
    blocks = torch.from_numpy(blocks)
    options = argparse.Namespace(broadcast=broadcast, seed=job.seed, centroids=job.centroids,
                                 iterations=job.iterations, final_assign=False)
    with Clock() as clock:
        centroids, _, finished = fairseq_pq.run_em(blocks, options)
    times = clock.times()
    if finished < job.iterations:
        times["note"] = f"gave up after {finished} iterations: empty clusters"
    return times, centroids.numpy(), fairseq_pq.nearest_by_product(blocks, centroids).numpy()


def run_torch_matmul(blocks, job):
    return run_fairseq(blocks, job, broadcast=False)


def run_torch_broadcast(blocks, job):
    torch, fairseq_pq = import_fairseq_pq()
    n_timed = min(len(blocks), max(job.centroids, BROADCAST_FLOATS // (job.centroids * job.d)))
    part = torch.from_numpy(blocks[:n_timed])
    centroids = torch.from_numpy(blocks[:: len(blocks) // job.centroids][:job.centroids].copy())
    with Clock() as clock:
        codes = fairseq_pq.nearest_by_broadcast(part, centroids)
        fairseq_pq.cluster_means(part, codes, job.centroids)
    times = clock.times(job.iterations * len(blocks) / n_timed)
    if times["wall_s"] <= BROADCAST_S:
        return run_fairseq(blocks, job, broadcast=True)
    times["note"] = (f"extrapolated to {job.iterations} iterations of {len(blocks)} blocks from one "
                     f"of {n_timed} ({clock.wall_s:.1f} s)")
    times["extrapolated"] = True
    return times, None, None


CONTENDERS = {"sklearn": run_sklearn, "torch-matmul": run_torch_matmul,
              "torch-broadcast": run_torch_broadcast}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("blocks")
    for name in ("d", "centroids", "iterations", "seed"):
        parser.add_argument(name, type=int)
    parser.add_argument("answer")
    job = parser.parse_args()
    blocks = np.fromfile(job.blocks, "<f4").reshape(-1, job.d)
    try:
        times, codebook, codes = CONTENDERS[job.contender](blocks, job)
    except ImportError:
        sys.exit(NOT_INSTALLED)
    if codebook is not None:
        codebook.astype("<f4").tofile(job.answer + ".codebook")
        codes.astype("<u2").tofile(job.answer + ".codes")
    pathlib.Path(job.answer + ".json").write_text(json.dumps(times))


if __name__ == "__main__":
    main()
