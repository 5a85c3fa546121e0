"""Files of torch.save: state dicts, legacy files, checkpoints, tied weights, float16."""
import collections
import unittest
import zipfile

import torch
from torch import nn

from tool import ClientTest


def make_network():
    """A convolutional network with random weights of a fixed seed."""
    torch.manual_seed(0)
    return nn.Sequential(collections.OrderedDict([
        ("conv1", nn.Conv2d(3, 32, 3, padding=1)), ("norm1", nn.BatchNorm2d(32)),
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2d(32, 48, 3, padding=1)), ("relu2", nn.ReLU()),
        ("pool", nn.AvgPool2d(4)), ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(768, 40)), ("relu3", nn.ReLU()),
        ("fc2", nn.Linear(40, 250)),
    ])).eval()


class TiedModel(nn.Module):
    """The head has the weight of the embedding."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(300, 48)
        self.head = nn.Linear(48, 300, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids):
        return self.head(self.embedding(ids))


def checkpoint(model):
    """The model after a step of training, with the state of its optimizer."""
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}


def relative_error(values, reference):
    return float(((values - reference) ** 2).sum() / (reference ** 2).sum())


class TorchTest(ClientTest):
    def quantized(self, content, name, **saving):
        """Saves and quantizes; returns the original, the archive and the decoded state dict."""
        original, archive = self.path(f"{name}.pt"), self.path(f"{name}.h5")
        torch.save(content, original, **saving)
        self.pqw("quantize", original, "-o", archive)
        decoded = collections.OrderedDict(
            (key, torch.from_numpy(value.copy()))
            for key, value in self.decoded_values(archive).items())
        return original, archive, decoded

    def check(self, model, inputs, original, archive, decoded):
        """The decoded state dict fits the model, whose outputs move by the reported errors."""
        before = model.state_dict()
        self.assertEqual(list(decoded), list(before))
        for name, value in before.items():
            self.assertEqual((decoded[name].dtype, decoded[name].shape),
                             (value.dtype, value.shape), name)
        with torch.no_grad():
            expected = model(inputs)
            model.load_state_dict(decoded)
            error = relative_error(model(inputs), expected)
            model.load_state_dict(before)
        self.assertGreater(error, 0)
        # Errors of layers add up. The factor covers what a sample of inputs does.
        self.assertLess(error, 4 * self.error_of(original, archive))

    def check_copy(self, original, archive, decoded, state_dict_of=lambda content: content):
        """A copy of the original has the decoded values; everything else is as it was."""
        output = archive + ".pt"
        self.pqw("decode", archive, "--template", original, "-o", output)
        before, after = torch.load(original), torch.load(output)
        self.assertEqual(type(after), type(before))
        self.assertEqual(list(after), list(before))
        values = state_dict_of(after)
        self.assertEqual(list(values), list(decoded))
        for name, value in decoded.items():
            self.assertEqual(values[name].dtype, value.dtype, name)
            self.assertTrue(torch.equal(values[name], value), name)
        return before, after

    def test_state_dict(self):
        model = make_network()
        case = self.quantized(model.state_dict(), "state_dict")
        self.check(model, torch.randn(4, 3, 16, 16), *case)
        self.check_copy(*case)

    def test_deflated_template(self):
        original, archive, decoded = self.quantized(make_network().state_dict(), "deflated")
        packed = self.path("packed.pt")
        with zipfile.ZipFile(original) as stored, \
                zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
            for member in stored.namelist():
                target.writestr(member, stored.read(member))
        self.check_copy(packed, archive, decoded)

    def test_legacy_file(self):
        model = make_network()
        case = self.quantized(model.state_dict(), "legacy", _use_new_zipfile_serialization=False)
        self.check(model, torch.randn(4, 3, 16, 16), *case)
        self.check_copy(*case)

    def test_checkpoint_with_optimizer(self):
        model = make_network()
        content = checkpoint(model)
        case = self.quantized(content, "checkpoint")
        self.check(model, torch.randn(4, 3, 16, 16), *case)
        before, after = self.check_copy(*case, lambda content: content["model"])
        self.assertEqual(after["epoch"], before["epoch"])
        for index, state in before["optimizer"]["state"].items():
            for name, value in state.items():
                self.assertTrue(torch.equal(after["optimizer"]["state"][index][name], value))

    def test_tied_weights(self):
        model = TiedModel()
        case = self.quantized(model.state_dict(), "tied")
        self.check(model, torch.arange(300), *case)
        _, after = self.check_copy(*case)
        self.assertEqual(after["embedding.weight"].data_ptr(), after["head.weight"].data_ptr())

    def test_float16(self):
        model = make_network()
        case = self.quantized(model.half().state_dict(), "half")
        for name, value in model.state_dict().items():
            self.assertEqual(case[2][name].dtype, value.dtype, name)
        self.check_copy(*case)


if __name__ == "__main__":
    unittest.main()
