"""Which exception comes with which message."""

import os

import numpy as np
import pytest
from conftest import DIGITS, normal

import pqw


def test_the_tree_of_exceptions():
    assert issubclass(pqw.FormatError, ValueError)
    assert pqw.FormatError.__module__ == "pqw" and pqw.FormatError.__doc__


def test_missing_files(tmp_path):
    missing = tmp_path / "missing.h5"
    for call in (pqw.open, pqw.verify, pqw.inspect, lambda path: pqw.compress(path, tmp_path / "a.h5")):
        with pytest.raises(FileNotFoundError, match="missing.h5"):
            call(missing)
    with pytest.raises(FileNotFoundError, match="its folder does not exist"):
        pqw.compress(DIGITS, tmp_path / "nowhere/a.h5")


def test_missing_tensors(path):
    with pqw.open(path) as model, pytest.raises(KeyError, match="model.h5: no tensor is named 'fc'"):
        model["fc"]


def test_existing_outputs(tmp_path):
    pqw.compress({"x": normal(4)}, tmp_path / "a.h5")
    with pytest.raises(FileExistsError, match="a.h5"):
        pqw.compress({"x": normal(4)}, tmp_path / "a.h5")
    pqw.compress({"x": normal(5)}, tmp_path / "a.h5", overwrite=True)
    assert pqw.open(tmp_path / "a.h5")["x"].shape == (5,)


def test_files_of_other_formats(tmp_path):
    (tmp_path / "text.h5").write_text("no weights")
    for call in (pqw.open, pqw.verify, pqw.inspect):
        with pytest.raises(pqw.FormatError, match="text.h5"):
            call(tmp_path / "text.h5")


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_damaged_archives(path, tmp_path, at):
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 0x40
    (tmp_path / "damaged.h5").write_bytes(data)
    with pytest.raises(pqw.FormatError, match="damaged.h5"):
        pqw.verify(tmp_path / "damaged.h5")


def test_outputs_that_would_replace_inputs(tmp_path):
    np.save(tmp_path / "w.npy", normal(4, 4))
    os.link(tmp_path / "w.npy", tmp_path / "w.h5")
    with pytest.raises(ValueError, match="w.h5"):
        pqw.compress(tmp_path / "w.npy", tmp_path / "w.h5", overwrite=True)


def test_wrong_settings(tmp_path):
    with pytest.raises(ValueError, match="blok_size.*block_size"):
        pqw.compress(DIGITS, tmp_path / "a.h5", blok_size=4)
    with pytest.raises(ValueError, match="codec"):
        pqw.compress(DIGITS, tmp_path / "a.h5", codec="zip")
    with pytest.raises(ValueError, match="nowhere"):
        pqw.compress(DIGITS, tmp_path / "a.h5", exclude=["nowhere"])
    with pytest.raises(ValueError, match="recipe: line 1: unknown key 'rules'"):
        pqw.compress(DIGITS, tmp_path / "a.h5", recipe={"rules": []})
    assert os.listdir(tmp_path) == []


def test_weights_that_are_not_finite(tmp_path):
    with pytest.raises(ValueError, match="tensor 'w'.*NaN"):
        pqw.compress({"w": np.full((64, 64), np.nan, "f4")}, tmp_path / "a.h5", codec="pq")


def test_files_that_differ(path, tmp_path):
    np.savez(tmp_path / "other.npz", x=normal(3))
    with pytest.raises(ValueError, match="is in .* but not in"):
        pqw.evaluate(tmp_path / "other.npz", path)


def test_what_the_system_refuses():
    with pytest.raises(OSError, match="Not a directory"):
        pqw.compress(DIGITS, DIGITS / "a.h5")
