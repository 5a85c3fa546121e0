"""The package as others use it: imports, types, the tool, the wheel, the documents."""

import doctest
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import DIGITS, ROOT

import pqw

# The metaclass of classes of pybind11, and the constructors of those that have none.
UNNAMED = r"pqw\._native\.[A-Z]\w*(\.__init__)?"
PACKAGE = ROOT / "src/python"
USER = """
import numpy as np
import pqw
from typing import Any
from numpy.typing import NDArray

report: pqw.Report = pqw.compress({"w": np.zeros((4, 4), np.float32)}, "a.h5", codec="pq", seed=1)
ratio: float = report.ratio
with pqw.open("a.h5") as model:
    tensor: pqw.Tensor = model["w"]
    shape: tuple[int, ...] = tensor.shape
    values: NDArray[Any] = tensor.decode(dtype="float32")
    y: NDArray[np.float32] = pqw.Linear(tensor)(values)
codes: NDArray[Any] = pqw.ProductQuantizer(4, seed=2).fit(values).encode(values)
"""


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_import_needs_numpy_only():
    script = "import sys, pqw; print([m for m in ('torch', 'scipy', 'ml_dtypes') if m in sys.modules])"
    assert run(sys.executable, "-c", script) == "[]\n"


def test_version_is_that_of_the_project():
    listing = (ROOT / "CMakeLists.txt").read_text()
    assert pqw.__version__ == re.search(r"project\(pqw VERSION ([\d.]+)", listing)[1]


def test_everything_public_has_a_docstring():
    for name in pqw.__all__:
        item = getattr(pqw, name)
        assert name.startswith("_") or item.__doc__
        assert not isinstance(item, type) or item.__module__.split(".")[0] == "pqw"


def test_types_are_right(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    options = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", tmp_path / "cache"]
    environment = {**os.environ, "MYPYPATH": str(PACKAGE)}
    run(sys.executable, "-m", "mypy", *options, "-p", "pqw", env=environment, cwd=tmp_path)
    run(sys.executable, "-m", "mypy", *options, tmp_path / "user.py", env=environment, cwd=tmp_path)


def test_stubs_have_what_the_module_has(tmp_path):
    (tmp_path / "ignored").write_text(UNNAMED)
    run(
        sys.executable, "-m", "mypy.stubtest", "pqw._native", "--ignore-missing-stub",
        "--allowlist", tmp_path / "ignored", "--ignore-unused-allowlist",
        env={**os.environ, "MYPYPATH": str(PACKAGE)}, cwd=tmp_path,
    )  # fmt: skip


def test_the_module_is_the_tool(tmp_path):
    assert run(sys.executable, "-m", "pqw", "--version") == f"pqw {pqw.__version__}\n"
    run(sys.executable, "-m", "pqw", "quantize", DIGITS, "-o", tmp_path / "a.h5", "--quiet")
    assert pqw.verify(tmp_path / "a.h5") > 0
    done = subprocess.run([sys.executable, "-m", "pqw", "verify", "missing"], capture_output=True, text=True)
    assert done.returncode == 1 and "missing" in done.stderr


def test_a_wheel_runs_in_an_empty_environment(tmp_path):
    wheel = run(ROOT / "scripts/wheel").split()[-1]
    run(sys.executable, "-m", "venv", "--system-site-packages", tmp_path / "env")
    python = tmp_path / "env/bin/python"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run(python, "-m", "pip", "install", "--quiet", "--no-index", ROOT / wheel, env=environment)
    script = f"""
import pqw, sys
assert pqw.__file__.startswith({str(tmp_path)!r}), pqw.__file__
report = pqw.compress({str(DIGITS)!r}, "a.h5", codec="pq")
with pqw.open("a.h5") as model:
    layer = pqw.Linear(model["fc1.weight"], model["fc1.bias"])
    print(layer.in_features, layer([0.0] * layer.in_features).shape == (layer.out_features,))
"""
    output = run(python, "-c", script, cwd=tmp_path, env=environment)
    assert output.split()[1] == "True"
    assert run(tmp_path / "env/bin/pqw", "--version", env=environment) == f"pqw {pqw.__version__}\n"
    assert run(python, "-m", "pqw", "verify", "a.h5", cwd=tmp_path, env=environment)


@pytest.mark.parametrize("document", ["README.md", "docs/python.md", "docs/torch.md"])
def test_examples_of_documents_print_what_they_say(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(DIGITS, tmp_path / "model.safetensors")
    text = (ROOT / document).read_text()
    examples = "\n".join(re.findall(r"```pycon\n(.*?)```", text, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(examples, {}, document, document, 0)
    assert len(test.examples) > 5
    report = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)
