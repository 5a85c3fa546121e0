"""GGUF, files packed by gzip and zstd, and pipes."""
import gzip
import struct
import subprocess
import unittest

import numpy as np

import digits
from tool import PQW, ClientTest, safetensors_io

GGUF_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1}
ALIGNMENT = 32


def gguf_text(text):
    return struct.pack("<Q", len(text)) + text.encode()


def write_gguf(path, tensors):
    """GGUF version 3, as ggml's documentation lays it out: sizes start with the one that runs fastest."""
    def aligned(data):
        return data + b"\0" * (-len(data) % ALIGNMENT)

    entries = gguf_text("general.architecture") + struct.pack("<I", 8) + gguf_text("llama")
    infos, data = b"", b""
    for name, value in tensors.items():
        infos += gguf_text(name) + struct.pack("<I", value.ndim)
        infos += struct.pack(f"<{value.ndim}Q", *reversed(value.shape))
        infos += struct.pack("<IQ", GGUF_TYPES[value.dtype], len(data))
        data += aligned(value.tobytes())
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1) + entries + infos
    with open(path, "wb") as file:
        file.write(aligned(head) + data)


def run(*command, stdin=None):
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout


def content(path):
    with open(path, "rb") as file:
        return file.read()


class FilesTest(ClientTest):
    def test_gguf(self):
        random = np.random.RandomState(6)
        tensors = {
            "token_embd.weight": random.standard_normal((500, 64)).astype(np.float16),
            "blk.0.attn_q.weight": random.standard_normal((96, 250)).astype(np.float32),
            "blk.0.attn_norm.weight": random.standard_normal(250).astype(np.float32),
        }
        original, archive = self.path("model.gguf"), self.path("gguf.h5")
        write_gguf(original, tensors)
        self.pqw("quantize", original, "-o", archive)
        decoded, limit = self.decoded_values(archive), self.error_of(original, archive)
        self.assertEqual(set(decoded), set(tensors))
        for name, value in tensors.items():
            found = decoded[name]
            self.assertEqual((found.dtype, found.shape), (value.dtype, value.shape), name)
            error = np.sum((found.astype(float) - value) ** 2) / np.sum(value.astype(float) ** 2)
            self.assertLessEqual(error, limit, name)
            self.assertEqual(error == 0, value.ndim == 1, name)

    def test_packed_files_and_pipes_give_the_same_archive(self):
        original = digits.DATA / "digits.safetensors"
        expected = self.path("expected.h5")
        self.pqw("quantize", original, "-o", expected)
        packed = {"gz": gzip.compress(content(original)), "zst": run("zstd", "-c", str(original))}
        for extension, data in packed.items():
            source, archive = self.path(f"digits.{extension}"), self.path(f"{extension}.h5")
            with open(source, "wb") as file:
                file.write(data)
            self.pqw("quantize", source, "-o", archive)
            self.check_same(archive, expected)
        for name, data in {"plain": content(original), "packed": packed["gz"]}.items():
            archive = self.path(f"{name}.h5")
            run(PQW, "quantize", "-", "-o", archive, "--quiet", stdin=data)
            self.check_same(archive, expected)

    def check_same(self, archive, expected):
        self.assertEqual(content(archive), content(expected), archive)

    def test_decoding_into_a_pipe(self):
        archive, decoded, piped = self.path("a.h5"), self.path("a.safetensors"), self.path("b.safetensors")
        self.pqw("quantize", digits.DATA / "digits.safetensors", "-o", archive)
        self.pqw("decode", archive, "-o", decoded)
        with open(piped, "wb") as file:
            file.write(run(PQW, "decode", archive, "-o", "-", "--quiet"))
        before, after = safetensors_io.read(decoded), safetensors_io.read(piped)
        self.assertEqual(list(after), list(before))
        for name, value in before.items():
            np.testing.assert_array_equal(after[name], value, name)


if __name__ == "__main__":
    unittest.main()
