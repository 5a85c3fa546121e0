"""Arguments that are nearly right."""

import subprocess
import sys

import numpy as np
import pytest

import pqw

EYE = np.eye(4, dtype=np.float32)


def test_ragged_lists_raise_the_error_of_numpy():
    with pytest.raises(ValueError, match="inhomogeneous"):
        pqw.Linear(EYE)([[1, 2], [3]])
    with pytest.raises(ValueError, match="inhomogeneous"):
        pqw.Embedding(EYE)([[1, 2], [3]])


@pytest.mark.parametrize("x, dtype", [(["1"] * 4, "<U1"), ([None] * 4, "object"),
                                      ([1j] * 4, "complex128"), ([True] * 4, "bool")])
def test_lists_hold_numbers(x, dtype):
    with pytest.raises(ValueError, match=f"x has type {dtype}"):
        pqw.Linear(EYE)(x)
    assert pqw.Linear(EYE)([1, 2, 3, 4]).tolist() == [1, 2, 3, 4]


def test_messages_show_indices_beyond_int64():
    with pytest.raises(ValueError, match="indices holds 9223372036854775811"):
        pqw.Embedding(EYE)(np.array([2**63 + 3], np.uint64))


@pytest.mark.parametrize("code", [-1, 65536, 2**40])
def test_codes_do_not_wrap_around(code):
    W = np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32)
    pq = pqw.ProductQuantizer(block_size=4, n_centroids=8).fit(W)
    with pytest.raises(ValueError, match=f"code {code} is out of range"):
        pq.decode(np.full((1, 1), code))
    with pytest.raises(ValueError, match="codes has type float64"):
        pq.decode(np.full((1, 1), 1.5))


def test_decode_names_the_type_that_was_asked_for(model):
    with pytest.raises(ValueError, match="cannot be decoded as >f4"):
        model["fc.weight"].decode(">f4")


@pytest.mark.parametrize("name", ["", "model.h5"])
def test_a_path_that_has_no_folder_is_not_found(name):
    code = f"""
import os, tempfile, pqw
folder = tempfile.mkdtemp()
os.chdir(folder)
os.rmdir(folder)
try:
    pqw.open({name!r})
except FileNotFoundError:
    print("not found")
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=True).stdout == "not found\n"


def test_a_pattern_may_be_one_text(tmp_path):
    weight = np.random.default_rng(0).standard_normal((96, 48)).astype(np.float32)
    arrays = {"fc.weight": weight, "out.weight": weight}
    report = pqw.compress(arrays, tmp_path / "a.h5", codec="pq", block_size=4, centroids=16,
                          include="fc.weight")
    assert [tensor.codec for tensor in report.tensors] == ["pq", "plain"]


@pytest.mark.parametrize("arrays, dtype, message", [
    ({1: EYE}, None, "array 1: its name is not a str"),
    ({"a\udc80": EYE}, None, "its name is not valid Unicode"),
    ({"a": EYE}, {"b": "bfloat16"}, "dtype names 'b', which is not an array"),
    ({"a": EYE}, {"a": "bfloat16"}, "array 'a' has type float32, and dtype says bfloat16"),
])
def test_compress_refuses_names_and_types(arrays, dtype, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        pqw.compress(arrays, tmp_path / "a.h5", dtype=dtype)
