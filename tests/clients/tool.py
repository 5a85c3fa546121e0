"""Runs the built tool. PQW names another binary than the one of the preset release."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PQW = os.environ.get("PQW", str(ROOT / "build/release/tools/cli/pqw"))
sys.path.insert(0, str(ROOT / "scripts/reference"))

import safetensors_io  # noqa: E402


class ClientTest(unittest.TestCase):
    """Tests that share a temporary folder."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @staticmethod
    def pqw(*arguments):
        """Runs a verb and returns what it prints."""
        done = subprocess.run([PQW, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise AssertionError(f"pqw {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def decoded_values(self, archive):
        """The decoded tensors as {name: array}."""
        output = archive + ".safetensors"
        self.pqw("decode", archive, "-o", output, "--force")
        return safetensors_io.read(output)

    def error_of(self, original, archive):
        """The sum of the reported relative errors of the compressed tensors."""
        report = json.loads(self.pqw("eval", original, archive, "--json"))
        compressed = [t for t in report["tensors"] if t["codec"] not in ("plain", "alias")]
        self.assertTrue(compressed, "no tensor was compressed")
        return sum(tensor["relative_error"] for tensor in compressed)


def documented(document):
    """The blocks of Python of a document, as one program."""
    text = (ROOT / "docs" / document).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return compile("".join(blocks), f"docs/{document}", "exec")
