"""Original, decoded and exported ONNX models give the same answers in the runtimes of users."""
import json
import os
import unittest

import numpy as np
import onnx

import onnx_models
from onnx_runtime import RUNTIMES, run_onnx
from tool import ClientTest

SETTINGS = {
    "default": [],
    "int8": ["--codec", "int8", "--scheme", "affine"],
    "groups": ["--codec", "pq", "--block-size", "3", "--centroids", "100", "--groups", "2"],
    "additive": ["--codec", "pq", "--block-size", "6", "--centroids", "50", "--additive", "2"],
    "low_rank": ["--codec", "low_rank", "--energy", "0.95", "--factors", "codec=pq,block_size=2"],
}


def relative_error(values, reference):
    return float(np.sum((values - reference) ** 2) / np.sum(reference ** 2))


class OnnxTest(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cases = [cls.quantized(make, name)
                     for make in (onnx_models.convolutions, onnx_models.sequences)
                     for name in SETTINGS]

    @classmethod
    def quantized(cls, make, name):
        model, feeds = make()
        original, archive = cls.path(f"{make.__name__}.onnx"), cls.path(f"{make.__name__}_{name}.h5")
        cls.save(model, original)
        cls.pqw("quantize", original, "-o", archive, *SETTINGS[name])
        return model, feeds, original, archive

    @staticmethod
    def save(model, path):
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)

    def for_each(self, check):
        """Calls check(model, feeds, original, archive) for each model and settings."""
        for case in self.cases:
            with self.subTest(archive=case[-1]):
                check(*case)

    def decode(self, archive, original):
        decoded = archive + ".onnx"
        self.pqw("decode", archive, "--template", original, "-o", decoded, "--force")
        onnx.checker.check_model(onnx.load(decoded), full_check=True)
        return decoded

    def outputs(self, runtime, models, feeds):
        """For each model the values of "y", one for each feed."""
        return [[run["y"] for run in runs] for runs in run_onnx(runtime, models, feeds)]

    def test_decoded_models_run_with_the_decoded_values(self):
        def check(model, feeds, original, archive):
            decoded = self.decode(archive, original)
            substituted = archive + ".substituted.onnx"
            self.save(onnx_models.with_values(model, self.decoded_values(archive)), substituted)
            reported = self.error_of(original, archive)
            for runtime in RUNTIMES:
                results = self.outputs(runtime, [original, decoded, substituted], feeds)
                for before, after, expected in zip(*results):
                    np.testing.assert_array_equal(after, expected)
                    error = relative_error(after, before)
                    self.assertGreater(error, 0)
                    # Errors of layers add up. The factor covers what a sample of inputs does.
                    self.assertLess(error, 4 * reported)

        self.for_each(check)

    def test_exported_models_run_as_decoded_ones(self):
        def check(model, feeds, original, archive):
            decoded, exported = self.decode(archive, original), archive + ".small.onnx"
            report = json.loads(
                self.pqw("export", archive, "--template", original, "-o", exported, "--json"))
            onnx.checker.check_model(onnx.load(exported), full_check=True)
            self.assertLess(os.path.getsize(exported), os.path.getsize(decoded))
            for runtime in RUNTIMES:
                results = self.outputs(runtime, [decoded, exported], feeds)
                for expected, small in zip(*results):
                    if any(tensor["form"] == "factors" for tensor in report["tensors"]):
                        # Two small products in place of a large one round otherwise.
                        self.assertLess(relative_error(small, expected), 1e-10, runtime)
                    else:
                        np.testing.assert_array_equal(small, expected, runtime)

        self.for_each(check)


if __name__ == "__main__":
    unittest.main()
