"""pqw.compress, evaluate, inspect and verify."""

import os
import signal
import subprocess

import numpy as np
import pytest
from conftest import ARRAYS, DIGITS, ROOT, normal

import pqw

TOOL = ROOT / "build/release/python/pqw/bin/pqw"


def test_makes_the_bytes_that_the_tool_makes(tmp_path):
    arguments = ["--codec", "pq", "--block-size", "auto", "--seed", "3", "--exclude", "conv1"]
    subprocess.run([TOOL, "quantize", DIGITS, "-o", tmp_path / "tool.h5", "--quiet", *arguments], check=True, stdout=subprocess.DEVNULL)
    report = pqw.compress(DIGITS, tmp_path / "python.h5", codec="pq", block_size="auto", seed=3, exclude=["conv1"])
    data = (tmp_path / "python.h5").read_bytes()
    assert data == (tmp_path / "tool.h5").read_bytes()
    assert report.file_bytes == len(data)


def test_reports_have_fields(tmp_path):
    report = pqw.compress(DIGITS, str(tmp_path / "a.h5"))
    assert report.ratio == report.original_bytes / report.file_bytes > 6
    assert report.bits_per_weight == pytest.approx(8 * report.file_bytes / 421642)
    assert 0 < report.relative_error < 0.01 and report.amplitude == pytest.approx(1, abs=1e-3)
    assert report.seconds > 0 and not report.at_most and report.skipped == [] and report.warning == ""
    tensor = {tensor.name: tensor for tensor in report.tensors}["fc1.weight"]
    assert (tensor.codec, tensor.dtype, tensor.shape) == ("tcq", "float32", pqw.open(DIGITS)["fc1.weight"].shape)
    assert tensor.compressed and 0 < tensor.relative_error < 0.01 and tensor.max_abs_error > 0
    assert tensor.bytes < tensor.original_bytes and "bits=" in tensor.options
    assert "fc1.weight" in repr(tensor) and "ratio" in repr(report)


def test_evaluate_measures_what_compress_reported(tmp_path):
    made = pqw.compress(DIGITS, tmp_path / "a.h5", codec="pq")
    found = pqw.evaluate(DIGITS, tmp_path / "a.h5")
    assert [t.relative_error for t in found.tensors] == [t.relative_error for t in made.tensors]
    assert found.mean_error == made.mean_error > 0
    assert made.warning != ""  # 2 bits a weight
    assert pqw.inspect(tmp_path / "a.h5").relative_error is None
    assert pqw.verify(tmp_path / "a.h5") == len(made.tensors)


def test_dicts_of_arrays_of_any_layout(tmp_path):
    arrays = {
        "transposed": normal(30, 40).T,
        "backwards": normal(10, 12)[::-1, ::-2],
        "big-endian": np.arange(6, dtype=">i4"),
        "list": [[1.0, 2.0], [3.0, 4.0]],
        "int": 3,
        "empty": np.zeros((3, 0), "f4"),
    }
    pqw.compress(arrays, tmp_path / "a.h5", codec="plain")
    with pqw.open(tmp_path / "a.h5") as model:
        for name, values in arrays.items():
            np.testing.assert_array_equal(model[name].decode(), values)


def test_bfloat16_as_bits(tmp_path):
    values = normal(64, 64)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    pqw.compress({"a": bits, "b": bits, "c": bits}, tmp_path / "a.h5", codec="pq", thin="same", block_size=2, dtype={"a": "bfloat16", "c": "bfloat16"})
    with pqw.open(tmp_path / "a.h5") as model:
        assert [model[name].dtype for name in "abc"] == ["bfloat16", "uint16", "bfloat16"]
        assert model["a"].codec == "pq"
        decoded = model["a"].decode()
        assert decoded.dtype == np.float32
        assert np.square(decoded - values).sum() < 0.2 * np.square(values).sum()
        kept = model["a"].decode(dtype="bfloat16")
        widened = (kept.astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_allclose(widened, decoded, rtol=2**-8)
    pqw.compress({"a": bits}, tmp_path / "b.h5", codec="plain", dtype="bfloat16")
    np.testing.assert_array_equal(pqw.open(tmp_path / "b.h5")["a"].decode(dtype="bfloat16"), bits)


def test_arrays_without_a_type_of_safetensors_are_refused(tmp_path):
    with pytest.raises(ValueError, match="array 'x' has type complex128; expected one of float16"):
        pqw.compress({"x": np.zeros(2, complex)}, tmp_path / "a.h5")
    with pytest.raises(ValueError, match="source has no arrays"):
        pqw.compress({}, tmp_path / "a.h5")
    assert os.listdir(tmp_path) == []


def test_recipes_as_dicts_and_as_files(tmp_path):
    recipe = {
        "defaults": {"codec": "pq", "block_size": 8, "thin": "same"},
        "exclude": ["bias$"],
        "tensors": [
            {"pattern": "conv", "block_size": 9, "entropy_coding": False},
            {"pattern": "fc1", "codec": "low_rank", "rank": 8, "factors": {"codec": "pq"}},
            {"pattern": "nowhere", "optional": True, "codec": "int8"},
        ],
    }
    text = """
defaults: {codec: pq, block_size: 8, thin: same}
exclude: ['bias$']
tensors:
  - {pattern: conv, block_size: 9, entropy_coding: off}
  - {pattern: fc1, codec: low_rank, rank: 8, factors: {codec: pq}}
  - {pattern: nowhere, optional: true, codec: int8}
"""
    (tmp_path / "recipe.yaml").write_text(text)
    report = pqw.compress(DIGITS, tmp_path / "a.h5", recipe=recipe)
    pqw.compress(DIGITS, tmp_path / "b.h5", recipe=tmp_path / "recipe.yaml")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    codecs = {tensor.name: tensor.codec for tensor in report.tensors}
    assert codecs["fc1.weight"] == "low_rank" and codecs["conv2.weight"] == "pq"


def test_settings_come_on_top_of_recipes(tmp_path):
    recipe = {"defaults": {"codec": "pq", "block_size": 8}}
    report = pqw.compress(DIGITS, tmp_path / "a.h5", recipe=recipe, block_size=2, dry_run=True)
    assert any("block_size=2," in tensor.options for tensor in report.tensors)
    assert not any("block_size=8," in tensor.options for tensor in report.tensors)
    assert not (tmp_path / "a.h5").exists()


def test_keywords_of_python_end_in_an_underscore(tmp_path):
    report = pqw.compress(DIGITS, tmp_path / "a.h5", for_="serving", dry_run=True)
    assert {tensor.codec for tensor in report.tensors} == {"pq", "int8", "plain"}


def test_targets(tmp_path):
    report = pqw.compress(DIGITS, tmp_path / "a.h5", target_size="120kB")
    assert 100_000 < report.file_bytes <= 120_000
    report = pqw.compress(DIGITS, tmp_path / "a.h5", target_bpw=3, overwrite=True)
    assert report.bits_per_weight <= 3
    with pytest.raises(ValueError, match="target_size and target_bpw: give one target"):
        pqw.compress(DIGITS, tmp_path / "b.h5", target_size=1, target_bpw=1)
    with pytest.raises(ValueError, match="target_ratio is -1; expected a number above 0"):
        pqw.compress(DIGITS, tmp_path / "b.h5", target_ratio=-1)
    with pytest.raises(ValueError, match="metric is 'worst'"):
        pqw.compress(DIGITS, tmp_path / "b.h5", target_ratio=8, metric="worst")


def test_the_number_of_threads_does_not_change_the_bytes(tmp_path):
    pqw.compress(DIGITS, tmp_path / "1.h5", codec="pq", threads=1)
    pqw.compress(DIGITS, tmp_path / "3.h5", codec="pq", threads=3)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "3.h5").read_bytes()
    with pytest.raises(ValueError, match="threads is 0"):
        pqw.compress(DIGITS, tmp_path / "0.h5", threads=0)


def test_output_recipes_make_the_same_archive(tmp_path):
    pqw.compress(DIGITS, tmp_path / "a.h5", target_bpw=2.5, output_recipe=tmp_path / "r.yaml")
    pqw.compress(DIGITS, tmp_path / "b.h5", recipe=tmp_path / "r.yaml")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_progress_follows_the_work(tmp_path):
    seen = []
    pqw.compress(DIGITS, tmp_path / "a.h5", codec="pq", progress=seen.append)
    stages = [progress.stage for progress in seen]
    assert stages[0] == "start" and stages[-1] == "tensor_done"
    assert {"start", "tensor", "iteration", "tensor_done"} == set(stages)
    last = seen[-1]
    assert last.n_done == last.n_total == len(pqw.open(DIGITS))
    assert last.weights_done == last.n_weights == 421642
    assert last.report.name == last.tensor and last.iteration is None
    iteration = next(progress for progress in seen if progress.stage == "iteration")
    assert iteration.iteration == 0 and iteration.objective > 0
    assert repr(last).startswith("<pqw.Progress tensor_done")


@pytest.mark.parametrize("stage", ["start", "tensor", "iteration", "tensor_done"])
def test_progress_that_raises_cancels(tmp_path, stage):
    class Cancelled(Exception):
        pass

    def cancel(progress):
        if progress.stage == stage:
            raise Cancelled(stage)

    with pytest.raises(Cancelled, match=stage):
        pqw.compress(DIGITS, tmp_path / "a.h5", codec="pq", progress=cancel)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def ctrl_c():
    """Programs that run in the background may ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_cancels(tmp_path, ctrl_c):
    with pytest.raises(KeyboardInterrupt):
        pqw.compress(
            DIGITS,
            tmp_path / "a.h5",
            codec="pq",
            progress=lambda progress: os.kill(os.getpid(), signal.SIGINT),
        )
    assert os.listdir(tmp_path) == []


def test_calibration(tmp_path):
    np.savez(tmp_path / "inputs.npz", **{"fc.weight": normal(200, 50)})
    np.savez(tmp_path / "model.npz", **{"fc.weight": ARRAYS["fc.weight"]})
    subprocess.run([TOOL, "calibrate", tmp_path / "inputs.npz", "--model", tmp_path / "model.npz", "-o", tmp_path / "stats.h5", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    report = pqw.compress(tmp_path / "model.npz", tmp_path / "a.h5", calibration=tmp_path / "stats.h5", codec="pq", thin="same")
    assert report.output_error > 0
    found = pqw.evaluate(tmp_path / "model.npz", tmp_path / "a.h5", calibration=tmp_path / "stats.h5")
    assert found.tensors[0].output_error == report.tensors[0].output_error
