"""A folder as Hugging Face's libraries write it: two shards, an index, configuration and tokenizer."""
import json
import os
import unittest

import numpy as np
import torch

from test_torch import TiedModel, make_network, relative_error
from tool import ClientTest, safetensors_io

INDEX = "model.safetensors.index.json"


def write_folder(folder, tensors):
    os.makedirs(folder)
    names, weight_map = list(tensors), {}
    for i, part in enumerate((names[:len(names) // 2], names[len(names) // 2:])):
        shard = f"model-0000{i + 1}-of-00002.safetensors"
        safetensors_io.write(os.path.join(folder, shard), {name: tensors[name] for name in part},
                             {"format": "pt"})
        weight_map.update({name: shard for name in part})
    texts = {
        INDEX: {"metadata": {"total_size": sum(a.nbytes for a in tensors.values())}, "weight_map": weight_map},
        "config.json": {"architectures": ["Network"], "hidden_size": 48},
        "tokenizer.json": {"version": "1.0", "model": {"type": "BPE", "vocab": {"é": 0}}},
    }
    for name, content in texts.items():
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file)


def read_json(*path):
    with open(os.path.join(*path)) as file:
        return json.load(file)


def read_folder(folder):
    """{name: array}, each from the file that the index says, or from the single file."""
    if not os.path.exists(os.path.join(folder, INDEX)):
        return safetensors_io.read(os.path.join(folder, "model.safetensors"))
    weight_map = read_json(folder, INDEX)["weight_map"]
    shards = {name: safetensors_io.read(os.path.join(folder, name)) for name in set(weight_map.values())}
    return {name: shards[shard][name] for name, shard in weight_map.items()}


class FolderTest(ClientTest):
    def check(self, model, inputs, name):
        tensors = {key: value.numpy() for key, value in model.state_dict().items()}
        original, small, decoded = [self.path(name + end) for end in ("", "-pq", "-decoded")]
        write_folder(original, tensors)
        self.pqw("quantize", original, "-o", small + "/")
        self.pqw("decode", small, "-o", decoded + "/")
        self.assertEqual(read_json(small, "config.json")["quantization_config"]["quant_method"], "pqw")
        for text in ("config.json", "tokenizer.json"):
            self.assertEqual(read_json(decoded, text), read_json(original, text))
        values = read_folder(decoded)
        self.assertEqual(set(values), set(tensors))
        with torch.no_grad():
            expected = model(inputs)
            model.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in values.items()})
            error = relative_error(model(inputs), expected)
        self.assertGreater(error, 0)
        self.assertLess(error, 4 * self.error_of(original, os.path.join(small, "model.h5")))
        return decoded

    def test_two_shards(self):
        decoded = self.check(make_network(), torch.randn(4, 3, 16, 16), "network")
        self.assertGreater(len(set(read_json(decoded, INDEX)["weight_map"].values())), 1)

    def test_tied_weights(self):
        self.check(TiedModel(), torch.arange(300), "tied")


if __name__ == "__main__":
    unittest.main()
