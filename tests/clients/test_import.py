"""Codes that kill-the-bits stores become archives with the values that its formula gives."""
import unittest

import numpy as np
import torch

import digits
from tool import ClientTest

# W[r][p * d + j] = centroids[assignments[p * rows + r]][j], W as [out, the other dimensions]
BLOCK_SIZES = {"conv2": 9, "fc1": 8}


def quantized(weight, d, random):
    """Centroids drawn from the blocks, the number of the nearest one for each block, and the weight."""
    rows = weight.shape[0]
    blocks = weight.reshape(rows, -1, d).transpose(1, 0, 2).reshape(-1, d)
    centroids = blocks[random.choice(len(blocks), 64, replace=False)]
    distances = (centroids ** 2).sum(1) - 2 * blocks @ centroids.T
    assignments = distances.argmin(1)
    values = centroids[assignments].reshape(-1, rows, d).transpose(1, 0, 2).reshape(weight.shape)
    return centroids, assignments, values


class ImportTest(ClientTest):
    def test_kill_the_bits(self):
        random = np.random.RandomState(7)
        original = {name: torch.from_numpy(np.array(value)) for name, value in digits.weights().items()}
        stored, expected = dict(original), dict(original)
        for layer, d in BLOCK_SIZES.items():
            weight = stored.pop(f"{layer}.weight").numpy()
            centroids, assignments, values = quantized(weight, d, random)
            stored[f"{layer}.centroids"] = torch.from_numpy(centroids)
            stored[f"{layer}.assignments"] = torch.from_numpy(assignments)
            expected[f"{layer}.weight"] = torch.from_numpy(values)
        codes, template, archive, decoded = [
            self.path(name) for name in ("codes.pth", "original.pth", "archive.h5", "decoded.pth")]
        torch.save(stored, codes)
        torch.save(original, template)
        self.pqw("import", codes, "--template", template, "-o", archive)
        self.pqw("decode", archive, "--template", template, "-o", decoded)
        found = torch.load(decoded)
        self.assertEqual(list(found), list(original))
        for name, value in expected.items():
            self.assertTrue(torch.equal(found[name], value), name)


if __name__ == "__main__":
    unittest.main()
