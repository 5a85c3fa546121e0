"""Runs ONNX models in onnxruntime-node and onnxruntime-web."""
import base64
import json
import subprocess

import numpy as np

from tool import ROOT

RUNTIMES = ("onnxruntime-node", "onnxruntime-web")
TYPES = {"float32": np.float32, "int64": np.int64, "bool": np.bool_}


def encode(array):
    data = base64.b64encode(array.tobytes()).decode()
    return {"type": array.dtype.name, "dims": list(array.shape), "data": data}


def decode(tensor):
    data = base64.b64decode(tensor["data"])
    return np.frombuffer(data, TYPES[tensor["type"]]).reshape(tensor["dims"])


def run_onnx(runtime, models, feeds):
    """Feeds are {input: array}. Returns for each model and feed {output: array}."""
    request = {
        "runtime": str(ROOT / "build/clients/node_modules" / runtime),
        "models": models,
        "feeds": [{name: encode(array) for name, array in feed.items()} for feed in feeds],
    }
    done = subprocess.run(["node", str(ROOT / "tests/clients/run_onnx.js")],
                          input=json.dumps(request), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{runtime}: {done.stderr}")
    return [[{name: decode(tensor) for name, tensor in outputs.items()} for outputs in runs]
            for runs in json.loads(done.stdout)]
