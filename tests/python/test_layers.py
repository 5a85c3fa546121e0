"""Linear and Embedding against plain numpy in double."""

import copy

import numpy as np
import pytest
from conftest import normal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pqw

EXACT = 1e-5  # of the norm, as documented
SWEEP = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_close(y, expected, bound):
    assert y.dtype == np.float32 and y.shape == expected.shape
    assert np.linalg.norm(y - expected) <= bound * max(np.linalg.norm(expected), 1e-30) * 3


@pytest.fixture(scope="module")
def linear(path):
    model = pqw.open(path)
    layer = pqw.Linear(model["fc.weight"], model["fc.bias"], precision="exact")
    weight = model["fc.weight"].decode().astype("f8")
    bias = model["fc.bias"].decode().astype("f8")
    return layer, lambda x: np.asarray(x, "f8") @ weight.T + bias


def test_layers_know_their_sizes(linear):
    layer, _ = linear
    assert (layer.in_features, layer.out_features) == (50, 96)
    assert repr(layer) == "<pqw.Linear [96, 50]>"
    assert layer.describe(1) and layer.describe(batch=64)
    assert copy.deepcopy(layer) is layer and copy.copy(layer) is layer


@SWEEP
@given(st.lists(st.integers(0, 4), max_size=3), st.integers(0, 99))
def test_any_leading_dimensions(linear, leading, seed):
    layer, expected = linear
    x = normal(*leading, 50, seed=seed)
    assert_close(layer(x), expected(x), EXACT)


VIEWS = {
    "transposed": lambda: normal(50, 7).T,
    "rows apart": lambda: normal(14, 80)[::2, :50],
    "columns apart": lambda: normal(7, 100)[:, ::2],
    "backwards": lambda: normal(7, 50)[::-1, ::-1],
    "repeated": lambda: np.broadcast_to(normal(50), (7, 50)),
    "three dimensions": lambda: normal(4, 3, 50).transpose(1, 0, 2),
    "float64": lambda: normal(7, 50, dtype="f8"),
    "float16": lambda: normal(7, 50, dtype="f2"),
    "big-endian": lambda: normal(7, 50, dtype=">f4"),
    "unaligned": lambda: np.frombuffer(b"\0" + normal(7, 50).tobytes(), "u1")[1:]
    .view("f4")
    .reshape(7, 50),
    "list": lambda: [[float(i % 3) for i in range(50)]],
    "ints in a list": lambda: [[i % 3 for i in range(50)]],
}


@pytest.mark.parametrize("view", VIEWS)
def test_inputs_of_any_layout(linear, view):
    layer, expected = linear
    x = VIEWS[view]()
    assert_close(layer(x), expected(x), EXACT)


def test_read_only_inputs(linear):
    layer, expected = linear
    x = normal(3, 50)
    x.flags.writeable = False
    assert_close(layer(x), expected(x), EXACT)


OUTPUTS = {
    "in order": lambda: np.empty((5, 96), "f4"),
    "rows apart": lambda: np.empty((10, 120), "f4")[::2, :96],
    "columns apart": lambda: np.empty((5, 192), "f4")[:, ::2],
    "backwards": lambda: np.empty((5, 96), "f4")[::-1, ::-1],
    "float64": lambda: np.empty((5, 96)),
    "float16": lambda: np.empty((5, 96), "f2"),
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_outputs_of_any_layout(linear, output):
    layer, _ = linear
    x, out = normal(5, 50), OUTPUTS[output]()
    assert layer(x, out=out) is out
    np.testing.assert_array_equal(out, layer(x).astype(out.dtype))


def test_outputs_leave_their_neighbours_alone(linear):
    whole = np.full((10, 120), 7, "f4")
    linear[0](normal(5, 50), out=whole[::2, :96])
    assert (whole[1::2] == 7).all() and (whole[:, 96:] == 7).all()


def test_outputs_may_overlap_inputs():
    layer = pqw.Linear(normal(16, 16, seed=1))
    memory = normal(3, 16)
    expected = layer(memory.copy())
    layer(memory, out=memory)
    np.testing.assert_array_equal(memory, expected)


def test_bad_arguments_say_what_was_expected(linear, model):
    layer, _ = linear
    for x in (normal(49), normal(3, 51), np.float32(1)):
        with pytest.raises(ValueError, match=r"Linear \[96, 50\]: x has shape .*\[\.\.\., 50\]"):
            layer(x)
    with pytest.raises(ValueError, match="x has type int64; expected float32"):
        layer(np.zeros((2, 50), "i8"))
    with pytest.raises(ValueError, match=r"out has shape \[2, 96\]; expected \[3, 96\]"):
        layer(normal(3, 50), out=np.empty((2, 96), "f4"))
    with pytest.raises(TypeError):
        layer(normal(3, 50), out=np.empty((3, 96), "i4"))
    with pytest.raises(ValueError, match="precision is 'best'"):
        pqw.Linear(model["fc.weight"], precision="best")
    with pytest.raises(ValueError, match="memory is 'all'"):
        pqw.Linear(model["fc.weight"], memory="all")
    with pytest.raises(ValueError, match="model.h5: tensor 'conv1d.weight'"):
        pqw.Linear(model["conv1d.weight"])
    with pytest.raises(ValueError, match="12"):
        pqw.Linear(model["fc.weight"], model["conv.bias"])
    with pytest.raises(ValueError, match=r"bias has shape \[1, 96\]"):
        pqw.Linear(model["fc.weight"], normal(1, 96))


@pytest.mark.parametrize("precision, bound", [("exact", 1e-5), ("high", 1e-4), ("fast", 1.5e-2)])
@pytest.mark.parametrize("memory", ["codes", "fastest"])
def test_precisions_keep_their_bounds(precision, bound, memory, model):
    weight = model["fc.weight"].decode().astype("f8")
    layer = pqw.Linear(model["fc.weight"], precision=precision, memory=memory)
    x = normal(64, 50)
    terms = np.sqrt(np.square(x, dtype="f8") @ np.square(weight).T)
    error = np.sqrt(np.square(layer(x) - x.astype("f8") @ weight.T).sum())
    assert error <= 1.5 * bound * np.linalg.norm(terms)


def test_weights_may_be_arrays():
    w, b, x = normal(6, 10, dtype="f8"), normal(6, dtype="f2"), normal(4, 10)
    assert_close(pqw.Linear(w, b)(x), x.astype("f8") @ w.T + b, EXACT)


@SWEEP
@given(
    st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">i4"]),
    st.lists(st.integers(0, 3), max_size=3),
)
def test_embeddings_take_indices_of_any_type_and_shape(path, dtype, shape):
    with pqw.open(path) as model:
        embedding, table = pqw.Embedding(model["embed"]), model["embed"].decode()
    indices = np.random.default_rng(0).integers(0, 40, shape).astype(dtype)
    np.testing.assert_array_equal(embedding(indices), table[indices.astype("i8")])


def test_embeddings_of_lists_and_strided_indices(model):
    embedding, table = pqw.Embedding(model["embed"]), model["embed"].decode()
    assert (embedding.num_embeddings, embedding.dim) == (40, 24)
    np.testing.assert_array_equal(embedding([[3, 1], [0, 39]]), table[[[3, 1], [0, 39]]])
    indices = np.arange(40)[::-3]
    out = np.empty((24, 14), "f4").T
    assert embedding(indices, out=out) is out
    np.testing.assert_array_equal(out, table[indices])
    assert embedding([]).shape == (0, 24)


def test_bags_are_sums_and_means(model):
    embedding, table = pqw.Embedding(model["embed"]), model["embed"].decode().astype("f8")
    sums = embedding.bags([3, 5, 5, 1], [0, 2, 2])
    np.testing.assert_allclose(sums, [table[3] + table[5], 0 * table[0], table[5] + table[1]], rtol=1e-5, atol=1e-6)
    means = embedding.bags(np.array([3, 5], "u1"), [0], mode="mean")
    np.testing.assert_allclose(means, [(table[3] + table[5]) / 2], rtol=1e-5, atol=1e-6)


def test_bad_indices_are_refused(model):
    embedding = pqw.Embedding(model["embed"])
    for index in (40, -1):
        with pytest.raises(ValueError, match=f"index {index} is out of range"):
            embedding([index])
    with pytest.raises(ValueError, match="indices has type float64"):
        embedding(np.zeros(2))
    with pytest.raises(ValueError, match="indices has type bool"):
        embedding(np.zeros(2, bool))
    with pytest.raises(ValueError, match="mode is 'max'"):
        embedding.bags([0], [0], mode="max")
    with pytest.raises(ValueError, match="one dimension"):
        embedding.bags([[0]], [0])


def test_what_an_input_raises_is_raised(linear):
    class Broken:
        def __array__(self, *arguments):
            raise RuntimeError("it has gradients")

    with pytest.raises(RuntimeError, match="it has gradients"):
        linear[0](Broken())
