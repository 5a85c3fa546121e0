"""pqw.open: the mapping, its tensors, decoding, pickles."""

import copy
import pickle

import numpy as np
import pytest
from conftest import ARRAYS, normal

import pqw


def test_is_a_mapping_in_the_order_of_the_file(path, model):
    assert list(model) == [tensor.name for tensor in pqw.inspect(path).tensors]
    assert set(model) == set(ARRAYS)
    assert len(model) == len(ARRAYS)
    assert "fc.weight" in model and "fc" not in model
    assert model.get("fc") is None
    assert [tensor.name for tensor in model.values()] == list(model)


def test_tensors_say_what_they_are(model):
    weight = model["fc.weight"]
    assert (weight.shape, weight.ndim, weight.size) == ((96, 50), 2, 4800)
    assert (weight.dtype, weight.codec) == ("float32", "pq")
    assert model["half"].dtype == "float16"
    assert model["steps"].dtype == "int64" and model["steps"].codec == "plain"
    assert model["flags"].dtype == "bool"
    assert model["scalar"].shape == ()
    assert repr(weight) == "<pqw.Tensor 'fc.weight' [96, 50] float32, pq>"


def test_bits_per_weight_are_those_of_the_report(path, model):
    for report in pqw.inspect(path).tensors:
        tensor = model[report.name]
        assert tensor.stored_bytes == report.bytes
        assert tensor.bits_per_weight == report.bits_per_weight


@pytest.mark.parametrize("name", ["fc.bias", "steps", "flags", "nothing", "scalar"])
def test_plain_tensors_decode_to_what_they_were(model, name):
    values = model[name].decode()
    np.testing.assert_array_equal(values, ARRAYS[name])
    assert values.dtype == np.asarray(ARRAYS[name]).dtype
    assert model[name].tobytes() == np.asarray(ARRAYS[name]).tobytes()


def test_compressed_tensors_decode_to_centroids_in_their_own_type(model):
    for name in ("fc.weight", "half"):
        values = model[name].decode()
        assert values.dtype == ARRAYS[name].dtype and values.shape == ARRAYS[name].shape
        blocks = np.pad(values, [(0, 0), (0, -values.shape[1] % 4)]).reshape(-1, 4)
        assert 2 <= len(np.unique(blocks, axis=0)) <= 2 * 16  # a padded block differs
        error = np.square(values - ARRAYS[name], dtype="f8").sum() / np.square(ARRAYS[name], dtype="f8").sum()
        assert 0 < error < 0.8


def test_decodes_to_other_float_types(model):
    weight = model["fc.weight"]
    values = weight.decode()
    np.testing.assert_array_equal(weight.decode(dtype="float64"), values.astype("float64"))
    np.testing.assert_array_equal(weight.decode(dtype=np.float16), values.astype("float16"))
    bits = weight.decode(dtype="bfloat16")
    assert bits.dtype == np.uint16
    widened = (bits.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_allclose(widened, values, rtol=2**-8)
    np.testing.assert_array_equal(np.asarray(weight), values)
    np.testing.assert_array_equal(np.asarray(weight, dtype="float64"), values)


@pytest.mark.parametrize(
    "view",
    [
        lambda: np.empty((96, 50), "f4"),
        lambda: np.empty((96, 50), "f4", order="F"),
        lambda: np.empty((200, 100), "f4")[4:196:2, ::2],
        lambda: np.empty((96, 50), "f4")[::-1, ::-1],
        lambda: np.empty((96, 50), "f8"),
        lambda: np.frombuffer(bytearray(96 * 50 * 4 + 1), "u1")[1:].view("f4").reshape(96, 50),
    ],
)
def test_decodes_into_arrays_of_any_layout(model, view):
    out = view()
    assert model["fc.weight"].decode(out=out) is out
    np.testing.assert_array_equal(out, model["fc.weight"].decode())


def test_strided_views_leave_their_neighbours_alone(model):
    whole = np.full((96, 100), 7, "f4")
    model["fc.weight"].decode(out=whole[:, 1::2])
    assert (whole[:, ::2] == 7).all() and (whole[:, 1::2] != 7).any()


def test_bad_outputs_are_refused(model):
    weight = model["fc.weight"]
    with pytest.raises(ValueError, match=r"out has shape \[50, 96\]; expected \[96, 50\]"):
        weight.decode(out=np.empty((50, 96), "f4"))
    with pytest.raises(ValueError, match="out has type float64; expected float16"):
        weight.decode(dtype="float16", out=np.empty((96, 50)))
    read_only = np.empty((96, 50), "f4")
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        weight.decode(out=read_only)
    with pytest.raises(ValueError, match="out is not an array"):
        weight.decode(out=[1.0])
    with pytest.raises(ValueError, match="fc.weight"):
        weight.decode(dtype="int32")
    with pytest.raises(ValueError, match="cannot be decoded as <U8"):
        weight.decode(dtype="U8")


def test_closed_files_say_so(path):
    with pqw.open(path) as model:
        layer = pqw.Linear(model["fc.weight"])
    assert model.closed
    with pytest.raises(ValueError, match="the file is closed"):
        model["fc.weight"].decode()
    assert repr(model["fc.weight"]).endswith("closed>")
    assert layer(normal(50)).shape == (96,)


def test_tensors_keep_their_file_open(path):
    weight = pqw.open(path)["fc.weight"]
    assert weight.decode().shape == (96, 50)


def test_pickles_hold_the_path_and_the_name(path, model, monkeypatch, tmp_path):
    monkeypatch.chdir(path.parent)
    relative = pqw.open(path.name)
    data = pickle.dumps({"model": relative, "weight": relative["fc.weight"], "half": relative["half"]})
    assert len(data) < 500
    monkeypatch.chdir(tmp_path)
    copied = pickle.loads(data)
    np.testing.assert_array_equal(copied["weight"].decode(), model["fc.weight"].decode())
    assert copied["weight"].file is copied["half"].file
    assert list(copied["model"]) == list(model)
    assert copy.deepcopy(model["half"]).name == "half"


def test_weight_files_and_text_beside_tensors(tmp_path):
    np.savez(tmp_path / "a.npz", w=ARRAYS["fc.weight"])
    with pqw.open(str(tmp_path / "a.npz")) as weights:
        np.testing.assert_array_equal(weights["w"].decode(), ARRAYS["fc.weight"])
        assert weights["w"].codec == "plain" and weights.metadata == {}
        assert weights["w"].bits_per_weight == 32
