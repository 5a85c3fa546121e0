"""Small models of PyTorch for tests, and archives of them."""

import collections

import torch
from torch import nn

import pqw.torch

IMAGES = (2, 8, 12, 12)


def network(seed):
    """Convolution, normalisation, linear layer: IMAGES to [2, 300]."""
    torch.manual_seed(seed)
    model = nn.Sequential(collections.OrderedDict([
        ("conv", nn.Conv2d(8, 120, 3, padding=1)), ("norm", nn.BatchNorm2d(120)),
        ("relu", nn.ReLU()), ("pool", nn.AdaptiveAvgPool2d(1)), ("flatten", nn.Flatten()),
        ("fc", nn.Linear(120, 300)),
    ]))
    model.norm.running_mean.normal_()
    return model.eval()


class Tied(nn.Module):
    """The head has the weight of the embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(300, 48)
        self.head = nn.Linear(48, 300)
        self.head.weight = self.embedding.weight

    def forward(self, ids):
        return self.head(self.embedding(ids))


def tied(seed):
    torch.manual_seed(seed)
    return Tied().eval()


def compress(model, folder, name="model.h5", **settings):
    """The path of an archive of a model or state dict, by default of codec pq with blocks of 4."""
    settings = {"codec": "pq", "block_size": 4, "centroids": 32, **settings}
    if settings["codec"] != "pq":
        settings = {"codec": settings["codec"]}
    path = str(folder / name)
    pqw.torch.compress(model, path, **settings)
    return path
