"""pqw.torch.trainable and save: gradients against a dense reference, codes that stay."""

import copy
import io

import numpy
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is missing: scripts/setup python installs it")

from torch import nn  # noqa: E402

import pqw  # noqa: E402
import pqw.torch  # noqa: E402
from pqw import _native  # noqa: E402
from torch_models import IMAGES, compress, network, tied  # noqa: E402


def values_of(path, name):
    with pqw.open(path) as archive:
        return _native.pq_values(archive[name])


def decoded(path, name):
    with pqw.open(path) as archive:
        return torch.from_numpy(archive[name].decode())


def weight_of(module):
    return module.parametrizations.weight[0]


def expected_gradients(values, gradient, dense_gradient):
    """Gradients of codebooks and row scales in double, block by block, from that of the weight."""
    books = values.codebooks.astype(float).reshape(-1, values.codebooks.shape[-1])
    d, rows = books.shape[1], values.indices.shape[1]
    matrix = dense_gradient.double().numpy().reshape(rows, -1)
    scales = numpy.ones(rows) if values.row_scales is None else values.row_scales.astype(float)
    of_books, counts = numpy.zeros_like(books), numpy.zeros(len(books))
    of_scales = numpy.zeros(rows)
    for codes in values.indices:
        for r in range(rows):
            for p, code in enumerate(codes[r]):
                block = matrix[r, p * d:(p + 1) * d]
                of_books[code, :len(block)] += scales[r] * block
                of_scales[r] += block @ books[code, :len(block)]
                counts[code] += 1
    if gradient == "mean":
        of_books /= numpy.maximum(counts, 1)[:, None]
    return of_books.reshape(values.codebooks.shape), of_scales


LAYERS = {
    "linear": (lambda: nn.Linear(122, 150), lambda: torch.randn(3, 122)),
    "conv1d": (lambda: nn.Conv1d(16, 200, 3), lambda: torch.randn(2, 16, 9)),
    "conv2d": (lambda: nn.Conv2d(16, 100, 3), lambda: torch.randn(2, 16, 5, 6)),
    "embedding": (lambda: nn.Embedding(300, 50), lambda: torch.randint(300, (20,))),
}
SETTINGS = {
    "plain": {}, "groups": {"groups": 3}, "additive": {"additive": 2},
    "scales": {"row_scales": "f16"}, "log8": {"row_scales": "log8"},
    "f32": {"codebook": "f32"},
}


def check_gradients(layer, settings, gradient, folder):
    torch.manual_seed(0)
    make, inputs = LAYERS[layer]
    path = compress(nn.Sequential(make()), folder, **SETTINGS[settings])
    values = values_of(path, "0.weight")
    model, reference, x = nn.Sequential(make()), nn.Sequential(make()).double(), inputs()
    report = pqw.torch.trainable(model, path, gradient=gradient)
    assert [found.action for found in report.layers] == ["trained"]
    pqw.torch.load_into(reference, path)
    y = model(x)
    y.sin().sum().backward()
    expected_y = reference(x.double() if x.is_floating_point() else x)
    expected_y.sin().sum().backward()
    assert torch.allclose(y.double(), expected_y, atol=1e-4)
    of_books, of_scales = expected_gradients(values, gradient, reference[0].weight.grad)
    weight = weight_of(model[0])
    tolerance = {"rtol": 1e-3, "atol": 1e-4}
    assert numpy.allclose(weight.codebooks.grad.numpy(), of_books, **tolerance)
    if values.row_scales is not None:
        assert numpy.allclose(weight.row_scales.grad.numpy(), of_scales, **tolerance)
    if layer != "embedding":
        assert torch.allclose(model[0].bias.grad.double(), reference[0].bias.grad, **tolerance)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("gradient", ["mean", "sum"])
def test_gradients_of_linear_layers(tmp_path, settings, gradient):
    check_gradients("linear", settings, gradient, tmp_path)


@pytest.mark.parametrize("layer", ["conv1d", "conv2d", "embedding"])
def test_gradients_of_other_layers(tmp_path, layer):
    check_gradients(layer, "plain", "mean", tmp_path)


def train(model, *inputs, steps=3):
    """A few steps of training away from what the model computes."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        model(*inputs).square().mean().backward()
        optimizer.step()


def test_saved_archive_has_the_same_codes_and_the_trained_values(tmp_path):
    path, tuned = compress(network(0), tmp_path), str(tmp_path / "tuned.h5")
    model = network(1).train()
    pqw.torch.trainable(model, path)
    train(model, torch.randn(IMAGES))
    model.eval()
    assert pqw.torch.save(model, tuned) == (tmp_path / "tuned.h5").stat().st_size
    pqw.verify(tuned)
    for name in ("conv.weight", "fc.weight"):
        before, after = values_of(path, name), values_of(tuned, name)
        assert numpy.array_equal(before.indices, after.indices)
        assert not numpy.array_equal(before.codebooks, after.codebooks)
        assert torch.equal(decoded(tuned, name), model.get_submodule(name[:-7]).weight)
    for name in ("fc.bias", "norm.weight", "norm.running_mean", "norm.num_batches_tracked"):
        assert torch.equal(decoded(tuned, name), model.state_dict()[name]), name
        assert not torch.equal(decoded(tuned, name), decoded(path, name)), name
    reloaded, x = network(2), torch.randn(IMAGES)
    pqw.torch.load_into(reloaded, tuned)
    assert torch.equal(reloaded(x), model(x))


@pytest.mark.parametrize("scales", ["f16", "log8"])
def test_row_scales_are_trained_as_they_are_stored(tmp_path, scales):
    path = compress(nn.Sequential(nn.Linear(120, 150)), tmp_path, row_scales=scales)
    model = nn.Sequential(nn.Linear(120, 150))
    pqw.torch.trainable(model, path)
    train(model, torch.randn(4, 120), steps=8)
    pqw.torch.save(model, tmp_path / "tuned.h5")
    assert torch.equal(decoded(tmp_path / "tuned.h5", "0.weight"), model[0].weight)
    assert not numpy.array_equal(values_of(path, "0.weight").row_scales,
                                 values_of(tmp_path / "tuned.h5", "0.weight").row_scales)


def test_tied_weights_share_codebooks(tmp_path):
    path = compress(tied(0), tmp_path)
    model = tied(1)
    report = pqw.torch.trainable(model, path)
    assert [layer.name for layer in report.of("trained")] == ["embedding", "head"]
    assert weight_of(model.embedding) is weight_of(model.head)
    assert len(list(model.parameters())) == 2
    train(model, torch.arange(300))
    pqw.torch.save(model, tmp_path / "tuned.h5")
    for name in ("embedding.weight", "head.weight"):
        assert torch.equal(decoded(tmp_path / "tuned.h5", name), model.head.weight)


def test_a_trained_tensor_leaves_its_equal_as_it_was(tmp_path):
    state = network(0).state_dict()
    state["other.bias"] = state["fc.bias"].clone()
    path = compress(state, tmp_path)
    model = network(1)
    pqw.torch.trainable(model, path, strict=False)
    train(model, torch.randn(IMAGES))
    pqw.torch.save(model, tmp_path / "tuned.h5")
    assert torch.equal(decoded(tmp_path / "tuned.h5", "other.bias"), state["other.bias"])
    assert torch.equal(decoded(tmp_path / "tuned.h5", "fc.bias"), model.fc.bias)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_layers_keep_their_type(tmp_path, dtype):
    make = lambda: nn.Sequential(nn.Linear(96, 200), nn.Linear(200, 40)).to(dtype)  # noqa: E731
    path = compress(make().float(), tmp_path)
    model, loaded, x = make(), make(), torch.randn(3, 96).to(dtype)
    pqw.torch.trainable(model, path)
    pqw.torch.load_into(loaded, path)
    assert torch.equal(model(x), loaded(x)) and model(x).dtype == dtype
    assert weight_of(model[0]).codebooks.dtype == torch.float32
    train(model, x)
    pqw.torch.save(model, tmp_path / "tuned.h5")
    assert not torch.equal(decoded(tmp_path / "tuned.h5", "0.weight"), decoded(path, "0.weight"))


def test_attention_trains(tmp_path):
    def make():
        torch.manual_seed(0)
        return nn.TransformerEncoderLayer(64, 4, 256, batch_first=True, dropout=0)
    path = compress(make(), tmp_path)
    model = make()
    pqw.torch.trainable(model, path)
    train(model, torch.randn(2, 5, 64))
    pqw.torch.save(model, tmp_path / "tuned.h5")
    name = "self_attn.in_proj_weight"
    assert torch.equal(decoded(tmp_path / "tuned.h5", name), model.self_attn.in_proj_weight)
    assert not torch.equal(decoded(tmp_path / "tuned.h5", name), decoded(path, name))


def test_other_codecs_are_frozen_and_copied(tmp_path):
    path = compress(network(0), tmp_path, recipe={
        "tensors": [{"pattern": "conv", "codec": "int8"}]})
    model = network(1)
    report = pqw.torch.trainable(model, path)
    assert [(layer.name, layer.action) for layer in report.layers] == [
        ("conv", "frozen"), ("fc", "trained")]
    train(model, torch.randn(IMAGES))
    pqw.torch.save(model, tmp_path / "tuned.h5")
    assert torch.equal(decoded(tmp_path / "tuned.h5", "conv.weight"), decoded(path, "conv.weight"))
    with torch.no_grad():
        model.conv.weight += 1
    with pytest.raises(ValueError, match="'conv.weight' is stored by codec int8"):
        pqw.torch.save(model, tmp_path / "other.h5")


def test_other_orders_of_dimensions(tmp_path):
    model = nn.Sequential(nn.ConvTranspose2d(16, 80, 3))
    path = compress(model, tmp_path, layout="iohw")
    pqw.torch.trainable(model, path)
    assert torch.equal(model[0].weight, decoded(path, "0.weight"))
    train(model, torch.randn(2, 16, 4, 4))
    pqw.torch.save(model, tmp_path / "tuned.h5")
    assert torch.equal(decoded(tmp_path / "tuned.h5", "0.weight"), model[0].weight)
    assert not torch.equal(decoded(path, "0.weight"), model[0].weight)


def test_recurrent_weights_are_frozen(tmp_path):
    def make(device=None):
        return nn.ModuleDict({"rnn": nn.LSTM(64, 64, device=device),
                              "fc": nn.Linear(64, 200, device=device)})
    path = compress(make(), tmp_path)
    model, loaded, x = make(), make("meta"), torch.randn(3, 1, 64)
    report = pqw.torch.trainable(model, path)
    assert [layer.tensor for layer in report.of("trained")] == ["fc.weight"]
    assert {layer.name for layer in report.of("frozen")} == {"rnn"}
    assert not model["rnn"].weight_hh_l0.requires_grad
    pqw.torch.load_into(loaded, path)
    assert torch.equal(loaded["rnn"](x)[0], model["rnn"](x)[0])
    served = make()
    report = pqw.torch.serve(served, path)
    assert [(layer.name, layer.action) for layer in report.layers] == [
        ("fc", "served"), ("rnn", "dense"), ("rnn", "dense")]
    assert torch.equal(served["rnn"](x)[0], model["rnn"](x)[0])


def test_deepcopy_is_independent(tmp_path):
    path = compress(tied(0), tmp_path)
    model = tied(1)
    pqw.torch.trainable(model, path)
    clone = copy.deepcopy(model)
    assert weight_of(clone.embedding) is weight_of(clone.head)
    train(clone, torch.arange(300))
    assert torch.equal(model.head.weight, decoded(path, "head.weight"))
    assert not torch.equal(clone.head.weight, model.head.weight)


def test_checkpoints_of_training_go_on(tmp_path):
    path = compress(network(0), tmp_path)
    model, other = network(1), network(2)
    pqw.torch.trainable(model, path)
    train(model, torch.randn(IMAGES))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    pqw.torch.trainable(other, path)
    other.load_state_dict(torch.load(file))
    assert torch.equal(other.fc.weight, model.fc.weight)


def test_codes_of_another_archive_are_not_saved(tmp_path):
    path = compress(network(0), tmp_path)
    other_path = compress(network(3), tmp_path, name="other.h5")
    model, other = network(1), network(2)
    pqw.torch.trainable(model, path)
    pqw.torch.trainable(other, other_path)
    model.load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="other codes of 'conv.weight'"):
        pqw.torch.save(model, tmp_path / "tuned.h5")


def test_errors(tmp_path):
    path = compress(network(0), tmp_path)
    with pytest.raises(ValueError, match="mean"):
        pqw.torch.trainable(network(1), path, gradient="median")
    with pytest.raises(ValueError, match="codec pq"):
        pqw.torch.trainable(network(1), compress(network(0), tmp_path, name="8.h5", codec="int8"))
    with pytest.raises(ValueError, match="trainable"):
        pqw.torch.save(network(1), tmp_path / "tuned.h5")
    model = network(1)
    pqw.torch.trainable(model, path)
    with pytest.raises(RuntimeError, match="computed from codebooks"):
        model.fc.weight = torch.zeros(300, 120)
    with pytest.raises((ValueError, OSError)):
        pqw.torch.save(model, path, overwrite=True)
    pqw.torch.save(model, tmp_path / "tuned.h5")
    with pytest.raises(FileExistsError):
        pqw.torch.save(model, tmp_path / "tuned.h5")


def test_layer_by_layer(tmp_path):
    model = network(0).train()
    steps = []
    for names in pqw.torch.layer_by_layer(model, ["conv", "f*"], block_size=4, centroids=32):
        steps.append((names, type(model.fc.weight)))
        train(model, torch.randn(IMAGES))
    assert steps == [(["conv.weight"], nn.Parameter), (["fc.weight"], torch.Tensor)]
    model.eval()
    pqw.torch.save(model, tmp_path / "model.h5")
    with pqw.open(tmp_path / "model.h5") as archive:
        assert sorted(archive) == sorted(network(0).state_dict())
        assert archive["conv.weight"].codec == archive["fc.weight"].codec == "pq"
    reloaded, x = network(1), torch.randn(IMAGES)
    pqw.torch.load_into(reloaded, tmp_path / "model.h5")
    assert torch.equal(reloaded(x), model(x))


def test_layer_by_layer_with_tied_weights(tmp_path):
    model = tied(0)
    for _ in pqw.torch.layer_by_layer(model, block_size=4, centroids=32):
        train(model, torch.arange(300))
    pqw.torch.save(model, tmp_path / "model.h5")
    assert torch.equal(decoded(tmp_path / "model.h5", "head.weight"), model.embedding.weight)
    with pytest.raises(ValueError, match="named 'fc'"):
        next(pqw.torch.layer_by_layer(tied(0), ["fc"]))


def test_quant_noise_quantizes_a_share_of_the_blocks(tmp_path):
    model = network(0)
    weight = model.fc.weight
    dense = weight.detach().clone()
    noise = pqw.torch.QuantNoise(model, block_size=5, rate=0.3, centroids=16)
    noise.update()
    assert torch.equal(model.fc.weight, dense)  # evaluation
    model.train()
    torch.manual_seed(1)
    noisy = model.fc.weight
    changed = (noisy != dense).reshape(300, 24, 5)
    assert torch.equal(changed.any(2), changed.all(2))  # whole blocks
    assert 0.25 < changed.any(2).float().mean() < 0.35
    centroids = {tuple(block.tolist()) for block in noisy.reshape(300, 24, 5)[changed.any(2)]}
    assert len(centroids) <= 16
    (noisy * 2).sum().backward()
    assert torch.equal(weight.grad, torch.full_like(weight, 2))  # straight through
    noise.remove()
    assert model.fc.weight is weight and torch.equal(weight, dense)


def test_quant_noise_of_zeros_and_errors():
    model = tied(0).train()
    noise = pqw.torch.QuantNoise(model, block_size=7, rate=1, kind="zero")
    assert torch.equal(model.head.weight, torch.zeros(300, 48))
    noise.remove()
    assert model.head.weight is model.embedding.weight
    with pytest.raises(ValueError, match="rate"):
        pqw.torch.QuantNoise(model, rate=2)
    with pytest.raises(ValueError, match="kind"):
        pqw.torch.QuantNoise(model, kind="other")
