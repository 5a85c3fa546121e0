"""pqw.torch.serve: what is replaced, what it computes, and what it refuses."""

import copy
import io
import pickle
import weakref

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is missing: scripts/setup python installs it")

from torch import nn  # noqa: E402

import pqw  # noqa: E402
import pqw.torch  # noqa: E402
from torch_models import IMAGES, compress, network, tied  # noqa: E402


def error(y, reference):
    if reference.numel() == 0:
        return 0.0
    return float((y.double() - reference.double()).norm() / reference.double().norm())


def dense(make, path):
    """The model with decoded weights, in double precision."""
    model = make().double()
    pqw.torch.load_into(model, path)
    return model.eval()


def check_layer(make, x, folder, action="served", bound=1e-5, **settings):
    """Serves nn.Sequential(make()), and compares it with the decoded layer in double precision."""
    def sequential():
        torch.manual_seed(0)
        return nn.Sequential(make())
    path = compress(sequential(), folder, **settings)
    served = sequential()
    report = pqw.torch.serve(served, path, precision="exact")
    assert [layer.action for layer in report.layers] == [action], report
    reference = dense(sequential, path)(x.double() if x.is_floating_point() else x)
    y = served(x)
    assert y.dtype == torch.float32 and y.shape == reference.shape
    assert error(y, reference) < bound
    return report.layers[0]


@pytest.mark.parametrize("shape", [(120,), (1, 120), (3, 120), (2, 5, 120), (0, 120)])
def test_linear(tmp_path, shape):
    check_layer(lambda: nn.Linear(120, 300), torch.randn(shape), tmp_path)


def test_linear_without_bias(tmp_path):
    check_layer(lambda: nn.Linear(120, 300, bias=False), torch.randn(3, 120), tmp_path)


@pytest.mark.parametrize("codec", ["int8", "tcq"])
def test_other_codecs(tmp_path, codec):
    check_layer(lambda: nn.Linear(120, 300), torch.randn(3, 120), tmp_path, codec=codec)


@pytest.mark.parametrize("options", [
    {}, {"padding": 1}, {"padding": "same"}, {"stride": 2, "padding": (2, 1)}, {"dilation": 2},
    {"groups": 2}, {"padding": 1, "padding_mode": "reflect"},
    {"padding": "same", "padding_mode": "circular"}])
def test_conv2d(tmp_path, options):
    x = torch.randn(2, 16, 9, 8)
    check_layer(lambda: nn.Conv2d(16, 100, 3, **options), x, tmp_path)
    if options.get("padding_mode") != "circular":  # PyTorch needs a batch there
        check_layer(lambda: nn.Conv2d(16, 100, 3, **options), x[0], tmp_path, overwrite=True)


def test_convolutions_of_other_dimensions(tmp_path):
    check_layer(lambda: nn.Conv1d(16, 200, 5, padding="same", dilation=2), torch.randn(2, 16, 9), tmp_path)
    check_layer(lambda: nn.Conv3d(8, 50, 3), torch.randn(2, 8, 4, 5, 6), tmp_path, overwrite=True)


def test_transposed_convolutions(tmp_path):
    check_layer(lambda: nn.ConvTranspose2d(16, 80, 3, stride=2, output_padding=1),
                torch.randn(2, 16, 4, 5), tmp_path, layout="iohw")
    check_layer(lambda: nn.ConvTranspose1d(16, 300, 3), torch.randn(2, 16, 4), tmp_path,
                layout="iow", overwrite=True)


def test_transposed_convolution_in_an_unknown_order_stays_dense(tmp_path):
    layer = check_layer(lambda: nn.ConvTranspose2d(16, 80, 3), torch.randn(2, 16, 4, 5), tmp_path,
                        action="dense")
    assert "layout" in layer.reason


@pytest.mark.parametrize("shape", [(7,), (2, 3), (0,)])
def test_embedding_gives_the_decoded_rows(tmp_path, shape):
    check_layer(lambda: nn.Embedding(300, 48), torch.randint(300, shape), tmp_path, bound=1e-12)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_embedding_bag(tmp_path, mode):
    check_layer(lambda: nn.EmbeddingBag(300, 48, mode=mode), torch.randint(300, (4, 6)), tmp_path)
    model = nn.Sequential(nn.EmbeddingBag(300, 48, mode=mode, include_last_offset=True))
    path = compress(model, tmp_path, overwrite=True)
    reference = copy.deepcopy(model)
    pqw.torch.load_into(reference, path)
    pqw.torch.serve(model, path)
    ids, offsets = torch.randint(300, (10,)), torch.tensor([0, 3, 3, 10])
    assert torch.allclose(model[0](ids, offsets), reference[0](ids, offsets), atol=1e-5)


def test_a_network(tmp_path):
    path = compress(network(0), tmp_path)
    model = network(1)
    report = pqw.torch.serve(model, path)
    assert [(layer.name, layer.action) for layer in report.layers] == [
        ("conv", "served"), ("fc", "served")]
    x = torch.randn(IMAGES)
    assert error(model(x), dense(lambda: network(1), path)(x.double())) < 1e-3
    assert list(model.state_dict()) == [
        "conv.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var",
        "norm.num_batches_tracked", "fc.bias"]


def test_a_state_dict_of_the_rest_can_be_loaded(tmp_path):
    path = compress(network(0), tmp_path)
    a, b = network(1), network(2)
    pqw.torch.serve(a, path)
    pqw.torch.serve(b, path)
    state = {name: value + 1 for name, value in a.state_dict().items()}
    b.load_state_dict(state)
    x = torch.randn(IMAGES)
    assert torch.equal(b.fc.bias, a.fc.bias + 1)
    assert not torch.equal(a(x), b(x))


def test_tied_layers_are_served_from_one_tensor(tmp_path):
    state = tied(0).state_dict()
    del state["head.weight"]
    path = compress(state, tmp_path)
    model = tied(1)
    report = pqw.torch.serve(model, path)
    assert [(layer.name, layer.tensor) for layer in report.of("served")] == [
        ("embedding", "embedding.weight"), ("head", "embedding.weight")]
    ids = torch.randint(300, (5,))
    assert error(model(ids), dense(lambda: tied(1), path)(ids)) < 1e-3


def test_a_module_with_two_names_is_replaced_under_both(tmp_path):
    def make():
        torch.manual_seed(0)
        shared = nn.Linear(120, 120)
        return nn.Sequential(shared, nn.ReLU(), shared)
    path = compress(make(), tmp_path)
    model = make()
    report = pqw.torch.serve(model, path)
    assert len(report.layers) == 1 and model[0] is model[2]
    x = torch.randn(2, 120)
    assert error(model(x), dense(make, path)(x.double())) < 1e-3


def test_no_dense_weight_remains(tmp_path):
    path = compress(network(0), tmp_path)
    model = network(1)
    weights = [weakref.ref(model.conv.weight), weakref.ref(model.fc.weight)]
    pqw.torch.serve(model, path)
    assert [weight() for weight in weights] == [None, None]


def test_a_model_without_memory_is_served(tmp_path):
    def make(device):
        return nn.Sequential(nn.Linear(120, 300, device=device), nn.LayerNorm(300, device=device))
    path = compress(make("cpu"), tmp_path)
    model, x = make("meta"), torch.randn(2, 120)
    pqw.torch.serve(model, path, precision="exact")
    assert error(model(x), dense(lambda: make("cpu"), path)(x.double())) < 1e-5


def transformer():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(64, 4, 256, batch_first=True)
    return nn.TransformerEncoder(layer, 2).eval()


def test_attention_stays_dense_and_the_rest_is_served(tmp_path):
    path = compress(transformer(), tmp_path)
    model = transformer()
    report = pqw.torch.serve(model, path)
    assert {layer.name for layer in report.of("served")} == {
        f"layers.{i}.linear{j}" for i in (0, 1) for j in (1, 2)}
    assert all("ttention" in layer.reason for layer in report.of("dense"))
    assert "layers.0.self_attn.in_proj_weight" in {layer.tensor for layer in report.of("dense")}
    x = torch.randn(2, 7, 64)
    mask = torch.zeros(2, 7, dtype=torch.bool)
    mask[:, 5:] = True
    with torch.no_grad():
        y = model(x, src_key_padding_mask=mask)[:, :5]
    reference = dense(transformer, path).train()  # without the fused path
    for module in reference.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0
    assert error(y, reference(x.double(), src_key_padding_mask=mask)[:, :5]) < 1e-3


@pytest.mark.parametrize("layer, reason", [
    (lambda: nn.Embedding(300, 48, max_norm=1), "max_norm"),
    (lambda: nn.EmbeddingBag(300, 48, mode="max"), "mode max"),
    (lambda: nn.EmbeddingBag(300, 48, padding_idx=0), "padding_idx"),
])
def test_what_is_not_supported_stays_dense(tmp_path, layer, reason):
    found = check_layer(layer, torch.randint(300, (4, 6)), tmp_path, action="dense")
    assert reason in found.reason


def test_half_precision_goes_in_and_out(tmp_path):
    path = compress(network(0), tmp_path)
    model = network(1).bfloat16()
    pqw.torch.serve(model, path)
    x = torch.randn(2, 120).bfloat16()
    y = model.fc(x)
    assert y.dtype == torch.bfloat16
    assert error(y, dense(lambda: network(1), path).fc(x.double())) < 0.02


def served(tmp_path):
    model = network(1)
    pqw.torch.serve(model, compress(network(0), tmp_path))
    return model


def test_deepcopy_shares_the_codes(tmp_path):
    model = served(tmp_path)
    clone = copy.deepcopy(model)
    x = torch.randn(IMAGES)
    assert torch.equal(clone(x), model(x))
    assert clone.fc.bias is not model.fc.bias
    assert clone.fc._shared is model.fc._shared


def test_training_through_served_layers_is_an_error(tmp_path):
    model = served(tmp_path)
    x = torch.randn(IMAGES, requires_grad=True)
    with pytest.raises(RuntimeError, match="torch.no_grad.*trainable"):
        model(x)
    with torch.no_grad():
        model(x)


def test_tracing_and_export_are_errors(tmp_path):
    model, x = served(tmp_path), torch.randn(IMAGES)
    with pytest.raises(RuntimeError, match="torch.jit cannot compile conv.weight"):
        torch.jit.script(model)
    with pytest.raises(RuntimeError, match="cannot be traced or exported"):
        torch.jit.trace(model, x)
    with pytest.raises(RuntimeError, match="pqw export"):
        torch.onnx.export(model, x, io.BytesIO())
    with pytest.raises(TypeError, match="call pqw.torch.serve again"):
        pickle.dumps(model)
    with pytest.raises(TypeError, match="call pqw.torch.serve again"):
        torch.save(model, io.BytesIO())
    with pytest.raises(AttributeError, match="no dense weight"):
        model.fc.weight


def test_errors_of_inputs(tmp_path):
    model = served(tmp_path)
    with pytest.raises(ValueError, match="120"):
        model.fc(torch.randn(2, 119))
    with pytest.raises(RuntimeError, match="on the CPU"):
        model.fc(torch.empty(2, 120, device="meta"))
    with pytest.raises(ValueError, match="precision"):
        pqw.torch.serve(network(1), compress(network(0), tmp_path, overwrite=True), precision="low")


class Items(torch.utils.data.Dataset):
    """Runs a model in the workers of a DataLoader."""

    def __init__(self, model, x):
        self.model, self.x = model, x

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.model(self.x[index:index + 1])[0]


def test_forked_workers_serve(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(512, 2048))
    pqw.torch.serve(model, compress(model, tmp_path, effort="fast"))
    x = torch.randn(6, 512)
    expected = torch.cat([model(row) for row in x.split(1)])  # with all threads, before the fork
    loader = torch.utils.data.DataLoader(Items(model, x), batch_size=2, num_workers=2,
                                         multiprocessing_context="fork", timeout=60)
    assert torch.allclose(torch.cat(list(loader)), expected, rtol=1e-4, atol=1e-4)
