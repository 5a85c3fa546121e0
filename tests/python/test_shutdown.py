"""Threads that outlive the interpreter."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("work", [
    "layer(x)",
    "pqw.compress({'a': weight}, path, codec='pq', overwrite=True, progress=lambda p: None)",
])
def test_daemon_threads_may_compute_when_the_program_ends(work, tmp_path):
    code = f"""
import threading, numpy as np, pqw
weight = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)
layer, x, path = pqw.Linear(weight), weight[:64], {os.fspath(tmp_path / "a.h5")!r}
begun = threading.Barrier(4)
def compute():
    begun.wait()
    while True:
        {work}
for _ in range({3 if "layer" in work else 1}):
    threading.Thread(target=compute, daemon=True).start()
for _ in range({0 if "layer" in work else 2}):
    threading.Thread(target=begun.wait, daemon=True).start()
begun.wait()
layer(x)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
