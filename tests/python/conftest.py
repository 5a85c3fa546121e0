"""Files that several tests read."""

import pathlib

import hypothesis
import numpy as np
import pytest

import pqw

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
hypothesis.settings.register_profile("pqw", database=None, deadline=None, derandomize=True)
hypothesis.settings.load_profile("pqw")
DIGITS = ROOT / "tests/data/digits.safetensors"


def normal(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


ARRAYS = {
    "fc.weight": normal(96, 50, seed=1),
    "fc.bias": normal(96, seed=2),
    "embed": normal(40, 24, seed=3),
    "conv1d.weight": normal(12, 4, 3, seed=4),
    "conv2d.weight": normal(12, 4, 3, 2, seed=5),
    "conv3d.weight": normal(12, 4, 2, 1, 3, seed=6),
    "conv.bias": normal(12, seed=7),
    "half": normal(64, 32, seed=8, dtype="float16"),
    "steps": np.arange(6, dtype="int64").reshape(2, 3),
    "flags": np.array([True, False]),
    "nothing": np.zeros((0, 4), "float32"),
    "scalar": np.float64(2.5),
}


@pytest.fixture(scope="session")
def path(tmp_path_factory):
    """An archive of ARRAYS: weights in pq, all else plain."""
    path = tmp_path_factory.mktemp("archive") / "model.h5"
    pqw.compress(ARRAYS, path, codec="pq", block_size=4, centroids=16, thin="same")
    return path


@pytest.fixture
def model(path):
    with pqw.open(path) as model:
        yield model
