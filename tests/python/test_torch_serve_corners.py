"""Served layers where PyTorch leaves more than one way to call, to fail or to change a model."""

import copy

import pytest
import torch
from torch import nn
from torch_models import compress, tied

import pqw.torch


@pytest.fixture(autouse=True)
def no_grad():
    with torch.no_grad():
        yield


class Bags(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.bags = nn.EmbeddingBag(300, 48, **options)

    def forward(self, *args, **kwargs):
        return self.bags(*args, **kwargs)


def dense_and_served(make, tmp_path):
    """A model with decoded weights, and the same served."""
    dense, served = make().eval(), make()
    path = compress(dense, tmp_path)
    pqw.torch.load_into(dense, path)
    assert "served" in str(pqw.torch.serve(served, path, precision="exact"))
    return dense, served


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_the_last_offset_ends_the_last_bag(mode, tmp_path):
    dense, served = dense_and_served(
        lambda: Bags(mode=mode, include_last_offset=True), tmp_path)
    ids, offsets = torch.arange(21) * 13, torch.tensor([0, 2, 2, 9, 15])
    vectors = dense.bags.weight[ids].double()
    for bag, (begin, end) in enumerate([(0, 2), (2, 2), (2, 9), (9, 15)]):
        expected = vectors[begin:end].sum(0) / (max(end - begin, 1) if mode == "mean" else 1)
        assert torch.allclose(served(ids, offsets)[bag].double(), expected, atol=1e-5)


def test_bags_of_a_matrix_may_be_empty(tmp_path):
    _, served = dense_and_served(lambda: Bags(mode="sum"), tmp_path)
    assert torch.equal(served(torch.zeros(3, 0, dtype=torch.int64)), torch.zeros(3, 48))


@pytest.mark.parametrize("make, x", [
    (lambda: nn.Linear(64, 96), torch.ones(2, 64)),
    (lambda: nn.Conv1d(8, 96, 3), torch.ones(2, 8, 9)),
    (lambda: nn.Embedding(300, 48), torch.arange(6)),
    (lambda: nn.EmbeddingBag(300, 48), torch.arange(6).reshape(2, 3)),
])
def test_inputs_have_the_names_of_pytorch(make, x, tmp_path):
    dense, served = dense_and_served(lambda: nn.ModuleDict({"layer": make()}), tmp_path)
    assert torch.allclose(served["layer"](input=x), dense["layer"](input=x), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_served_model_changes_its_type(dtype, tmp_path):
    def make():
        return nn.Sequential(nn.Embedding(300, 48), nn.LayerNorm(48), nn.Linear(48, 64))

    dense, served = dense_and_served(make, tmp_path)
    y = served.to(dtype)(torch.arange(5))
    assert y.dtype == dtype
    assert torch.allclose(y, dense.to(dtype)(torch.arange(5)), atol=0.1)


def test_inputs_of_other_types_are_refused(tmp_path):
    _, served = dense_and_served(lambda: nn.Sequential(nn.Linear(64, 96)), tmp_path)
    for dtype in (torch.int64, torch.complex64):
        with pytest.raises(RuntimeError, match=f"0.weight: the input has type {dtype}"):
            served(torch.ones(2, 64, dtype=dtype))


def test_a_model_that_does_not_fit_keeps_its_layers(tmp_path):
    path = compress(tied(seed=0), tmp_path)
    model = nn.ModuleDict({"embedding": nn.Embedding(300, 48), "other": nn.Linear(48, 30)})
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(RuntimeError, match="other.weight"):
        pqw.torch.serve(model, path)
    assert type(model["embedding"]) is nn.Embedding
    assert model.state_dict().keys() == before.keys()


def test_the_model_itself_is_listed_once(tmp_path):
    model = nn.Linear(64, 96)
    report = pqw.torch.serve(model, compress(model, tmp_path))
    assert [(layer.name, layer.action) for layer in report.layers] == [("", "dense")]


def test_load_into_fills_a_recurrent_module_without_memory(tmp_path):
    trained = nn.LSTM(64, 48)
    path = compress(trained, tmp_path)
    model, dense = nn.LSTM(64, 48, device="meta"), nn.LSTM(64, 48)
    pqw.torch.load_into(model, path)
    pqw.torch.load_into(dense, path)
    x = torch.ones(3, 2, 64)
    assert torch.equal(model(x)[0], dense(x)[0])
