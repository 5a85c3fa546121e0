"""pqw.ProductQuantizer."""

import pickle

import numpy as np
import pytest
from conftest import normal
from hypothesis import given, settings
from hypothesis import strategies as st

import pqw


def nearest(x, codebooks, block_size):
    """Codes of the nearest centroids, by a plain loop in double."""
    x = np.pad(x.astype("f8"), [(0, 0), (0, -x.shape[1] % block_size)])
    n_blocks, n_groups = x.shape[1] // block_size, len(codebooks)
    codes = np.empty((len(x), n_blocks), int)
    for p in range(n_blocks):
        group = max(g for g in range(n_groups) if n_blocks * g // n_groups <= p)
        block = x[:, None, p * block_size : (p + 1) * block_size]
        codes[:, p] = np.square(block - codebooks[group][None]).sum(2).argmin(1)
    return codes


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 6), st.integers(2, 20), st.integers(1, 3))
def test_codes_are_the_nearest_centroids(rows, cols, block_size, n_centroids, groups):
    w = normal(rows, cols, seed=rows)
    pq = pqw.ProductQuantizer(block_size, n_centroids, groups=groups, gain="none").fit(w)
    x = normal(7, cols, seed=99)
    np.testing.assert_array_equal(pq.encode(x), nearest(x, pq.codebooks, pq.block_size))


def test_decodes_to_centroids():
    w = normal(50, 10)
    pq = pqw.ProductQuantizer(4, 8).fit(w)
    codes = pq.encode(w)
    assert codes.dtype == np.uint8 and codes.shape == (50, 3)
    assert pq.codebooks.shape == (1, 8, 4)
    np.testing.assert_array_equal(pq.decode(codes), pq.codebooks[0][codes].reshape(50, 12)[:, :10])


@pytest.mark.parametrize("options", [{}, {"seed": 5}, {"groups": 2}, {"gain": "least_squares"}, {"codebook": "f32", "effort": "fast"}])
def test_results_are_those_of_an_archive(tmp_path, options):
    w = normal(200, 36)
    pqw.compress({"w": w}, tmp_path / "a.h5", codec="pq", block_size=8, centroids=32, thin="same", **options)
    archived = pqw.open(tmp_path / "a.h5")["w"]
    assert archived.codec == "pq"
    pq = pqw.ProductQuantizer(8, 32, **options).fit(w)
    np.testing.assert_array_equal(pq.decode(pq.encode(w)), archived.decode())


def test_many_centroids_take_two_bytes():
    w = normal(600, 4)
    pq = pqw.ProductQuantizer(4, 300, iterations=2).fit(w)
    codes = pq.encode(w)
    assert codes.dtype == np.uint16 and codes.max() >= 256


def test_fewer_distinct_blocks_give_fewer_centroids():
    w = np.repeat(normal(3, 4), 5, axis=0)
    pq = pqw.ProductQuantizer(4, 256, gain="none", codebook="f32").fit(w)
    assert pq.n_centroids == 3
    np.testing.assert_array_equal(pq.decode(pq.encode(w)), w)


def test_inputs_of_any_layout_and_type():
    w = normal(40, 16, dtype="f8")
    pq = pqw.ProductQuantizer(4, 8).fit(np.asfortranarray(w))
    np.testing.assert_array_equal(pq.codebooks, pqw.ProductQuantizer(4, 8).fit(w.astype("f4")).codebooks)
    np.testing.assert_array_equal(pq.encode(w[::-2]), pq.encode(w)[::-2])
    assert pq.encode(np.zeros((0, 16), "f4")).shape == (0, 4)
    assert pq.decode(np.zeros((0, 4), "u1")).shape == (0, 16)


def test_pickles():
    pq = pqw.ProductQuantizer(4, 8).fit(normal(40, 16))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pq)).encode(normal(5, 16)), pq.encode(normal(5, 16)))
    assert repr(pq) == "<pqw.ProductQuantizer block_size=4 n_centroids=8>"


def test_bad_arguments_say_what_was_expected():
    for call in (lambda pq: pq.encode(normal(2, 2)), lambda pq: pq.codebooks, lambda pq: pq.decode([[0]])):
        with pytest.raises(ValueError, match="call fit first"):
            call(pqw.ProductQuantizer())
    with pytest.raises(ValueError, match=r"W has shape \[3\]"):
        pqw.ProductQuantizer().fit(normal(3))
    with pytest.raises(ValueError, match="NaN"):
        pqw.ProductQuantizer().fit(np.full((4, 4), np.nan, "f4"))
    with pytest.raises(ValueError, match="block_size"):
        pqw.ProductQuantizer(block_size=-1).fit(normal(4, 4))
    with pytest.raises(ValueError, match="does not support row_scales"):
        pqw.ProductQuantizer(row_scales="log8").fit(normal(4, 4))
    pq = pqw.ProductQuantizer(4, 8).fit(normal(40, 16))
    with pytest.raises(ValueError, match=r"X has shape \[5, 15\]; expected \[rows, 16\]"):
        pq.encode(normal(5, 15))
    with pytest.raises(ValueError, match="code 8 is out of range: there are 8 centroids"):
        pq.decode(np.full((1, 4), 8, "u1"))
    with pytest.raises(ValueError, match=r"codes have shape \[1, 3\]; expected \[rows, 4\]"):
        pq.decode(np.zeros((1, 3), "u1"))
