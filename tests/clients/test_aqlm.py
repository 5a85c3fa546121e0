"""An exported folder of AQLM holds the decoded weights, by the published formula."""
import json
import os
import unittest

import numpy as np

import digits
from tool import ClientTest, safetensors_io

# W[o][i * g + j] = scales[o] * sum over m of codebooks[m][codes[o][i][m]][0][j]      (blocks of one row)
#   codes      [out][in / g][M], integers stored in signed types of their width
#   codebooks  [M][2^bits][1][g]
#   scales     [out][1][1][1]


def aqlm_weight(codes, codebooks, scales, config):
    bits, g = config["nbits_per_codebook"], config["in_group_size"]
    index = codes.astype(np.int64) % 2 ** bits
    out, blocks, n_books = index.shape
    books = codebooks[:, :, 0, :].astype(np.float32)
    weight = np.zeros((out, blocks * g), np.float32)
    for i in range(blocks):
        for j in range(g):
            for m in range(n_books):
                weight[:, i * g + j] += books[m, index[:, i, m], j]
    return weight * scales[:, :, 0, 0].astype(np.float32)


class AqlmTest(ClientTest):
    def check(self, name, *settings):
        original, archive, folder = digits.DATA / "digits.safetensors", self.path(f"{name}.h5"), self.path(name)
        self.pqw("quantize", original, "-o", archive, *settings)
        self.pqw("export", archive, "--format", "aqlm", "-o", folder)
        with open(os.path.join(folder, "config.json")) as file:
            config = json.load(file)["quantization_config"]
        self.assertEqual((config["quant_method"], config["out_group_size"]), ("aqlm", 1))
        stored = safetensors_io.read(os.path.join(folder, "model.safetensors"))
        decoded = self.decoded_values(archive)
        n_quantized = 0
        for tensor, value in decoded.items():
            module = tensor.rpartition(".")[0]
            if f"{module}.codes" in stored and tensor.endswith(".weight"):
                self.assertNotIn(tensor, stored)
                parts = [stored[f"{module}.{part}"] for part in ("codes", "codebooks", "scales")]
                self.assertEqual(len(parts[1]), config["num_codebooks"])
                found = aqlm_weight(*parts, config)
                n_quantized += 1
            else:
                found = stored[tensor]
            np.testing.assert_array_equal(found, value, tensor)
        self.assertGreater(n_quantized, 0)
        imported = self.path(f"{name}_imported.h5")
        self.pqw("import", os.path.join(folder, "model.safetensors"), "--template", original, "-o", imported)
        for tensor, value in self.decoded_values(imported).items():
            np.testing.assert_array_equal(value, decoded[tensor], tensor)

    def test_codes_of_8_bits(self):
        self.check("bits8", "--codec", "pq", "--block-size", "8")

    def test_scales_of_rows(self):
        self.check("rows", "--codec", "pq", "--block-size", "8", "--row-scales", "f16", "--gain-per", "row")

    def test_added_codebooks(self):
        self.check("added", "--codec", "pq", "--block-size", "8", "--additive", "2", "--centroids", "64")

    def test_default_preset(self):
        self.check("default")


if __name__ == "__main__":
    unittest.main()
