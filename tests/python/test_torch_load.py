"""pqw.torch.load_into against torch.load_state_dict of the decoded tensors."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is missing: scripts/setup python installs it")

import pqw  # noqa: E402
import pqw.torch  # noqa: E402
from torch_models import compress, network, tied  # noqa: E402


def decoded_state(path):
    with pqw.open(path) as archive:
        return {name: torch.from_numpy(tensor.decode()) for name, tensor in archive.items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a) and list(a) == list(b)


def test_load_into_equals_load_state_dict(tmp_path):
    path = compress(network(0), tmp_path)
    expected, loaded = network(1), network(2)
    expected.load_state_dict(decoded_state(path))
    keys = pqw.torch.load_into(loaded, path)
    assert keys == ([], [])
    assert same(loaded.state_dict(), expected.state_dict())


def test_values_are_converted_to_the_types_of_the_model(tmp_path):
    path = compress(network(0).half(), tmp_path)
    model = network(1).double()
    pqw.torch.load_into(model, path)
    expected = {name: value.to(model.state_dict()[name].dtype)
                for name, value in decoded_state(path).items()}
    assert same(model.state_dict(), expected)


def test_bfloat16_keeps_its_bits(tmp_path):
    original = network(0).bfloat16()
    path = compress(original, tmp_path, codec="plain")
    model = network(1).bfloat16()
    pqw.torch.load_into(model, path)
    assert same(model.state_dict(), original.state_dict())


def test_models_that_train_are_compressed(tmp_path):
    model = network(0).train()
    model.norm.half()
    pqw.torch.compress(model, tmp_path / "a.h5", codec="plain")
    assert same(decoded_state(tmp_path / "a.h5"), model.state_dict())


def test_pqw_compress_takes_no_models(tmp_path):
    with pytest.raises(TypeError, match="not Sequential"):
        pqw.compress(network(0), tmp_path / "a.h5")


def test_strict_names_what_is_missing_and_unexpected(tmp_path):
    path = compress(network(0), tmp_path)
    model = network(1)
    model.head = torch.nn.Linear(2, 2)
    del model.fc
    with pytest.raises(RuntimeError) as error:
        pqw.torch.load_into(model, path)
    assert "no 'head.weight', 'head.bias'" in str(error.value)
    assert "the model has no 'fc.weight', 'fc.bias'" in str(error.value)
    keys = pqw.torch.load_into(model, path, strict=False)
    assert keys.missing_keys == ["head.weight", "head.bias"]
    assert keys.unexpected_keys == ["fc.weight", "fc.bias"]
    assert torch.equal(model.conv.weight, decoded_state(path)["conv.weight"])


def test_other_shapes_are_an_error(tmp_path):
    path = compress(network(0), tmp_path)
    model = network(1)
    model.fc = torch.nn.Linear(3, 300)
    with pytest.raises(RuntimeError, match="size mismatch for fc.weight"):
        pqw.torch.load_into(model, path, strict=False)


def test_one_name_of_tied_parameters_is_enough(tmp_path):
    state = tied(0).state_dict()
    del state["head.weight"]
    path = compress(state, tmp_path)
    model = tied(1)
    assert pqw.torch.load_into(model, path) == ([], [])
    assert model.head.weight is model.embedding.weight
    assert torch.equal(model.head.weight, decoded_state(path)["embedding.weight"])


def test_an_open_archive_stays_open(tmp_path):
    with pqw.open(compress(network(0), tmp_path)) as archive:
        pqw.torch.load_into(network(1), archive)
        assert not archive.closed


def test_a_model_without_memory_gets_it(tmp_path):
    def make(device):
        return torch.nn.Sequential(torch.nn.Linear(120, 300, device=device),
                                   torch.nn.BatchNorm1d(300, device=device))
    path = compress(make("cpu"), tmp_path)
    model, expected = make("meta"), make("cpu")
    pqw.torch.load_into(model, path)
    pqw.torch.load_into(expected, path)
    assert same(model.state_dict(), expected.state_dict())
    model = torch.nn.Sequential(*make("meta"), torch.nn.Linear(300, 2, device="meta"))
    with pytest.raises(RuntimeError, match="no values of its own for '2.bias', '2.weight'"):
        pqw.torch.load_into(model, path, strict=False)
