"""Child processes made by fork, after the parent has used all threads."""

import multiprocessing
import os

import numpy as np
import pytest
from conftest import DIGITS, normal

import pqw

fork = multiprocessing.get_context("fork")


def in_child(work):
    """What work() returns in a forked child. A hang ends after 60 seconds."""
    with fork.Pool(1, initializer=globals().update, initargs=({"work_of_child": work},)) as pool:
        return pool.apply_async(run_work).get(60)


def run_work():
    return work_of_child()  # noqa: F821


@pytest.fixture
def busy():
    """The parent runs a layer on several threads, so that OpenMP has started some."""
    layer = pqw.Linear(normal(1024, 1024), precision="exact")
    x = normal(64, 1024)
    return layer, x, layer(x)


def test_layers_of_the_parent_work(busy):
    layer, x, expected = busy
    np.testing.assert_array_equal(in_child(lambda: layer(x)), expected)
    np.testing.assert_array_equal(layer(x), expected)


def test_open_files_of_the_parent_work(busy, model):
    expected = model["fc.weight"].decode()
    found = in_child(lambda: (model["fc.weight"].decode(), pqw.Linear(model["fc.weight"]).out_features))
    np.testing.assert_array_equal(found[0], expected)
    assert found[1] == 96
    np.testing.assert_array_equal(model["fc.weight"].decode(), expected)


def test_files_that_the_child_closes_stay_open_in_the_parent(model):
    in_child(model.close)
    assert model["fc.weight"].decode().shape == (96, 50)


def test_children_of_children_work(model):
    expected = model["fc.weight"].decode()

    def child():
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, model["fc.weight"].decode().tobytes()[:64])
            os._exit(0)
        return os.read(read, 64)

    assert in_child(child) == expected.tobytes()[:64]


def test_children_compress(busy, tmp_path):
    pqw.compress(DIGITS, tmp_path / "parent.h5", codec="pq")
    in_child(lambda: pqw.compress(DIGITS, tmp_path / "child.h5", codec="pq").ratio)
    assert (tmp_path / "child.h5").read_bytes() == (tmp_path / "parent.h5").read_bytes()


def test_tensors_are_sent_to_children_by_their_path(busy, model):
    with fork.Pool(2) as pool:
        shapes = pool.map(shape_of, list(model.values()) * 3)
    assert shapes == [tensor.shape for tensor in model.values()] * 3


def shape_of(tensor):
    return tensor.decode().shape


def test_spawned_processes_work(model):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(shape_of, (model["fc.weight"],)).get(60) == (96, 50)
