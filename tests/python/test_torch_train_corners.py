"""Training of models that share modules, have other types, or more than their archive."""

import numpy as np
import pytest
import torch
from torch import nn
from torch_models import compress

import pqw.torch
from pqw import _native


def step(model, *inputs):
    """One step of an optimizer."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    y = model(*inputs)
    (y[0] if isinstance(y, tuple) else y).float().square().mean().backward()
    optimizer.step()


def shared():
    layer = nn.Linear(64, 64)
    return nn.Sequential(layer, nn.Tanh(), layer)


def two_layers(dtype=torch.float32):
    return nn.Sequential(nn.Linear(64, 96), nn.Tanh(), nn.Linear(96, 64)).to(dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_models_of_other_types_are_trained(dtype, tmp_path):
    model = two_layers(dtype)
    path, out = compress(model, tmp_path), tmp_path / "out.h5"
    pqw.torch.trainable(model, path)
    before = model[0].parametrizations.weight[0].codebooks.clone()
    step(model, torch.ones(3, 64, dtype=dtype))
    assert not torch.equal(before, model[0].parametrizations.weight[0].codebooks)
    pqw.torch.save(model, out)
    loaded = two_layers(dtype)
    pqw.torch.load_into(loaded, out)
    x = torch.linspace(-1, 1, 64, dtype=dtype)
    assert torch.equal(loaded(x), model(x))


def test_a_weight_changes_its_type_with_the_model(tmp_path):
    model = two_layers()
    path = compress(model, tmp_path, row_scales="log8")
    pqw.torch.trainable(model, path)
    for dtype in (torch.float64, torch.bfloat16):
        assert model.to(dtype)[0].weight.dtype == dtype
    pqw.torch.save(model, tmp_path / "out.h5")


def test_a_shared_module_is_trained_once(tmp_path):
    model = shared()
    path, out = compress(model, tmp_path), tmp_path / "out.h5"
    pqw.torch.trainable(model, path)
    step(model, torch.ones(3, 64))
    pqw.torch.save(model, out)
    loaded = shared()
    pqw.torch.load_into(loaded, out)
    assert torch.equal(loaded[0].weight, model[0].weight)
    with pqw.open(path) as old, pqw.open(out) as new:
        for name in ("0.weight", "2.weight"):
            assert np.array_equal(_native.pq_values(old[name]).indices,
                                  _native.pq_values(new[name]).indices)


def test_all_weights_of_a_module_are_trained(tmp_path):
    model = nn.LSTMCell(64, 48)
    report = pqw.torch.trainable(model, compress(model, tmp_path))
    assert [layer.action for layer in report.layers] == ["trained", "trained"]
    step(model, torch.ones(3, 64))
    assert pqw.torch.save(model, tmp_path / "out.h5") > 0


def test_embeddings_of_sparse_gradients_are_frozen(tmp_path):
    model = nn.Sequential(nn.Embedding(300, 48, sparse=True), nn.Linear(48, 64))
    report = pqw.torch.trainable(model, compress(model, tmp_path))
    assert [layer.action for layer in report.layers] == ["frozen", "trained"]
    assert "sparse=False" in report.layers[0].reason
    step(model, torch.arange(4))


def test_values_are_not_changed_by_a_narrower_model(tmp_path):
    model = two_layers()
    path = str(tmp_path / "model.h5")
    pqw.torch.compress(model, path, recipe={
        "defaults": {"codec": "pq", "block_size": 4, "centroids": 32},
        "tensors": [{"pattern": "2.weight", "codec": "int8"}]})
    model.to(torch.bfloat16)
    pqw.torch.trainable(model, path)
    pqw.torch.save(model, tmp_path / "out.h5")
    with pqw.open(path) as old, pqw.open(tmp_path / "out.h5") as new:
        for name in ("0.bias", "2.weight"):
            assert np.array_equal(old[name].decode(), new[name].decode())


def test_save_loses_no_tensor(tmp_path):
    model = two_layers()
    path = compress({name: value for name, value in model.state_dict().items()
                     if not name.startswith("2.")}, tmp_path)
    pqw.torch.trainable(model, path, strict=False)
    with pytest.raises(ValueError, match="the archive has no '2.weight', '2.bias'"):
        pqw.torch.save(model, tmp_path / "out.h5")


def test_layer_by_layer_leaves_recurrent_modules_dense(tmp_path):
    model = nn.ModuleDict({"lstm": nn.LSTM(64, 48), "fc": nn.Linear(48, 64)})
    names = list(pqw.torch.layer_by_layer(model, block_size=4, centroids=16))
    assert names == [["fc.weight"]]
    pqw.torch.save(model, tmp_path / "out.h5")
    loaded = nn.LSTM(64, 48)
    with pqw.open(tmp_path / "out.h5") as archive:
        loaded.load_state_dict({name: torch.from_numpy(archive[f"lstm.{name}"].decode())
                                for name in loaded.state_dict()})
    x = torch.ones(3, 2, 64)
    assert torch.equal(loaded(x)[0], model["lstm"](x)[0])


def test_layer_by_layer_quantizes_a_weight_once():
    model = two_layers()
    groups = pqw.torch.layer_by_layer(model, ["0", "*"], block_size=4, centroids=16)
    assert list(groups) == [["0.weight"], ["2.weight"]]
    with pytest.raises(ValueError, match="named '0'"):
        next(pqw.torch.layer_by_layer(model, ["0"], block_size=4, centroids=16))


def test_layer_by_layer_trains_shared_modules():
    model = shared()
    names = list(pqw.torch.layer_by_layer(model, block_size=4, centroids=16))
    assert names == [["0.weight", "2.weight"]]
    step(model, torch.ones(3, 64))
