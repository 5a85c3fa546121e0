"""Convolutions against a plain loop in double."""

import itertools

import numpy as np
import pytest
from conftest import normal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pqw


def convolved(x, w, bias, stride, padding, dilation, groups):
    """x: [batch, channels, *size], w: [out, channels / groups, *kernel]."""
    n_axes = w.ndim - 2
    x = np.pad(x.astype("f8"), [(0, 0), (0, 0)] + [(p, p) for p in padding])
    kernel, size = w.shape[2:], x.shape[2:]
    result = [(size[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(n_axes)]
    y = np.zeros((len(x), len(w), *result))
    per_group, outs = w.shape[1], len(w) // groups
    for o, position in itertools.product(range(len(w)), np.ndindex(*result)):
        first = (o // outs) * per_group
        window = tuple(
            slice(position[i] * stride[i], position[i] * stride[i] + dilation[i] * (kernel[i] - 1) + 1, dilation[i])
            for i in range(n_axes)
        )
        patch = x[(slice(None), slice(first, first + per_group), *window)]
        y[(slice(None), o, *position)] = (patch * w[o]).sum(axis=tuple(range(1, x.ndim))) + bias[o]
    return y


def transposed(x, w, stride, padding, output_padding):
    """x: [batch, in, *size], w: [out, in, *kernel]: every pixel of x adds a scaled kernel to y."""
    n_axes = w.ndim - 2
    full = [(x.shape[2 + i] - 1) * stride + w.shape[2 + i] + output_padding for i in range(n_axes)]
    y = np.zeros((len(x), len(w), *full))
    for position in np.ndindex(*x.shape[2:]):
        window = tuple(slice(position[i] * stride, position[i] * stride + w.shape[2 + i]) for i in range(n_axes))
        pixel = x[(slice(None), slice(None), *position)].astype("f8")
        y[(slice(None), slice(None), *window)] += np.einsum("bi,oi...->bo...", pixel, w.astype("f8"))
    inner = tuple(slice(padding, size - padding) for size in full)
    return y[(slice(None), slice(None), *inner)]


LAYERS = {1: (pqw.Conv1d, "conv1d.weight"), 2: (pqw.Conv2d, "conv2d.weight"), 3: (pqw.Conv3d, "conv3d.weight")}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 3),
    st.lists(st.integers(0, 2), max_size=2),
    st.lists(st.integers(3, 6), min_size=3, max_size=3),
    st.integers(1, 2),
    st.integers(0, 2),
)
def test_sizes_batches_and_windows(path, n_axes, batch, size, stride, padding):
    Layer, name = LAYERS[n_axes]
    with pqw.open(path) as model:
        w, bias = model[name].decode(), model["conv.bias"].decode()
        layer = Layer(model[name], model["conv.bias"], stride=stride, padding=padding, precision="exact")
    x = normal(*batch, 4, *size[:n_axes])
    y = layer(x)
    flat = x.reshape(-1, 4, *size[:n_axes]) if x.size else x.reshape(0, 4, *size[:n_axes])
    expected = convolved(flat, w, bias, [stride] * n_axes, [padding] * n_axes, [1] * n_axes, 1)
    assert y.shape == (*batch, *expected.shape[1:])
    np.testing.assert_allclose(y.reshape(expected.shape), expected, atol=1e-4)


def test_axes_may_have_sizes_of_their_own():
    w, x = normal(6, 2, 3, 2), normal(2, 4, 9, 8)
    layer = pqw.Conv2d(w, stride=(2, 1), padding=[1, 0], dilation=(1, 3), groups=2)
    expected = convolved(x, w, np.zeros(6), (2, 1), (1, 0), (1, 3), 2)
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)
    assert pqw.Conv1d(normal(2, 3, 1), stride=(2,))(normal(3, 5)).shape == (2, 3)


@pytest.mark.parametrize("Layer, kernel, size", [(pqw.ConvTranspose1d, (3,), (5,)), (pqw.ConvTranspose2d, (3, 2), (4, 5))])
def test_transposed_convolutions(Layer, kernel, size):
    w, x = normal(5, 4, *kernel, seed=1), normal(2, 4, *size)
    layer = Layer(w, stride=2, padding=1, output_padding=1)
    np.testing.assert_allclose(layer(x), transposed(x, w, 2, 1, 1), atol=1e-4)


def test_inputs_and_outputs_of_any_layout(model):
    layer = pqw.Conv2d(model["conv2d.weight"])
    x = normal(7, 5, 4, 2).transpose(3, 2, 1, 0)
    expected = layer(np.ascontiguousarray(x))
    np.testing.assert_array_equal(layer(x), expected)
    np.testing.assert_array_equal(layer(x[::-1]), expected[::-1])
    out = np.full((2, 12, 3, 12), 7, "f4")
    assert layer(x, out=out[..., ::2]).shape == expected.shape
    np.testing.assert_array_equal(out[..., ::2], expected)
    assert (out[..., 1::2] == 7).all()


def test_bad_arguments_say_what_was_expected(model):
    layer = pqw.Conv2d(model["conv2d.weight"])
    with pytest.raises(ValueError, match=r"Conv2d: x has shape \[4, 5\]; expected"):
        layer(normal(4, 5))
    with pytest.raises(ValueError, match="channels"):
        layer(normal(3, 5, 5))
    for stride in (-1, 1.5, "two", (1, 2, 3), None):
        with pytest.raises(ValueError, match="stride is .*; expected an int of 0 or more, or 2 of them"):
            pqw.Conv2d(model["conv2d.weight"], stride=stride)
    with pytest.raises(ValueError, match="model.h5: tensor 'fc.weight'"):
        pqw.Conv2d(model["fc.weight"])
