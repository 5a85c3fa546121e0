"""What the examples of fine-tuning share."""
import math
import pathlib
import sys
import tempfile

import torch
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts/train_digits"), str(ROOT / "build/release/python")]

import pqw  # noqa: E402
import pqw.torch  # noqa: E402


def train(model, inputs, labels, epochs, rate, teacher=None, augment=lambda x: x, batch=128):
    """Cross entropy with the labels, and with the answers of a teacher; a cosine learning rate.

    Yields after each epoch."""
    steps = epochs * math.ceil(len(inputs) / batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(epochs):
        model.train()
        for chosen in torch.randperm(len(inputs)).split(batch):
            x = augment(inputs[chosen])
            y = model(x)
            loss = F.cross_entropy(y, labels[chosen])
            if teacher is not None:
                with torch.no_grad():
                    target = teacher(x).softmax(1)
                loss = loss + F.cross_entropy(y, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        yield epoch + 1


def run(source, make, accuracy, train_epochs, sizes, **settings):
    """Compresses a weight file at each block size, trains the codebooks and prints accuracies.

    make() is a new model, accuracy(model) in percent; train_epochs(model, teacher) yields epochs.
    """
    def loaded(path):
        model = make()
        pqw.torch.load_into(model, path)
        return model.eval()

    teacher = loaded(source)
    n_bytes = pathlib.Path(source).stat().st_size
    print(f"original: {accuracy(teacher):.2f} %, {n_bytes} bytes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = pathlib.Path(folder, f"block_{size}.h5")
            tuned = path.with_suffix(".tuned.h5")
            pqw.compress(source, path, codec="pq", block_size=size, **settings)
            print(f"block size {size}: {accuracy(loaded(path)):.2f} %", flush=True)
            model = make()
            pqw.torch.trainable(model, path)
            for epoch in train_epochs(model, teacher):
                print(f"  epoch {epoch}: {accuracy(model):.2f} %", flush=True)
            n_bytes = pqw.torch.save(model, tuned)
            served = make()
            pqw.torch.serve(served, tuned)
            print(f"  saved: {accuracy(loaded(tuned)):.2f} %, served {accuracy(served):.2f} %, "
                  f"{n_bytes} bytes", flush=True)
