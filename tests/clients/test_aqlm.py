"""An exported folder of AQLM holds the decoded weights, by the published formula."""
import json
import os
import unittest

import numpy as np

import digits
from tool import ClientTest, safetensors_io

# W[o][i * g + j] = scales[o] * codebooks[0][codes[o][i]][0][j]      (blocks of one row, one codebook)
#   codes      [out][in / g][1], integers stored in signed types of their width
#   codebooks  [1][2^bits][1][g]
#   scales     [out][1][1][1]


def aqlm_weight(codes, codebooks, scales, config):
    bits, g = config["nbits_per_codebook"], config["in_group_size"]
    index = codes[:, :, 0].astype(np.int64) % 2 ** bits
    out, blocks = index.shape
    books = codebooks[0, :, 0, :].astype(np.float32)
    weight = np.empty((out, blocks * g), np.float32)
    for i in range(blocks):
        for j in range(g):
            weight[:, i * g + j] = scales[:, 0, 0, 0].astype(np.float32) * books[index[:, i], j]
    return weight


class AqlmTest(ClientTest):
    def check(self, name, *settings):
        archive, folder = self.path(f"{name}.h5"), self.path(name)
        self.pqw("quantize", digits.DATA / "digits.safetensors", "-o", archive, *settings)
        self.pqw("export", archive, "--format", "aqlm", "-o", folder)
        with open(os.path.join(folder, "config.json")) as file:
            config = json.load(file)["quantization_config"]
        self.assertEqual((config["quant_method"], config["num_codebooks"], config["out_group_size"]),
                         ("aqlm", 1, 1))
        stored = safetensors_io.read(os.path.join(folder, "model.safetensors"))
        decoded = self.decoded_values(archive)
        n_quantized = 0
        for tensor, value in decoded.items():
            module = tensor.rpartition(".")[0]
            if f"{module}.codes" in stored and tensor.endswith(".weight"):
                self.assertNotIn(tensor, stored)
                parts = [stored[f"{module}.{part}"] for part in ("codes", "codebooks", "scales")]
                found = aqlm_weight(*parts, config)
                n_quantized += 1
            else:
                found = stored[tensor]
            np.testing.assert_array_equal(found, value, tensor)
        self.assertGreater(n_quantized, 0)

    def test_codes_of_8_bits(self):
        self.check("bits8", "--codec", "pq", "--block-size", "8")

    def test_scales_of_rows(self):
        self.check("rows", "--codec", "pq", "--block-size", "8", "--row-scales", "f16", "--gain-per", "row")

    def test_default_preset(self):
        self.check("default")


if __name__ == "__main__":
    unittest.main()
