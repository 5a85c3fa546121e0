"""Threads, and memory over many calls."""

import gc
import threading

import numpy as np
from conftest import DIGITS, normal

import pqw


def in_threads(work, n=8):
    """Runs work(i) in n threads at once and raises what one of them raised."""
    errors, start = [], threading.Barrier(n)

    def run(i):
        try:
            start.wait()
            work(i)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_layers_are_called_by_many_threads(model):
    linear = pqw.Linear(model["fc.weight"], model["fc.bias"])
    conv = pqw.Conv2d(model["conv2d.weight"], padding=1)
    embedding = pqw.Embedding(model["embed"])
    xs = [normal(i + 1, 50, seed=i) for i in range(8)]
    images = normal(8, 4, 9, 9)
    expected = [(linear(xs[i]), conv(images[i]), embedding([i, 2 * i])) for i in range(8)]

    def work(i):
        for _ in range(50):
            np.testing.assert_array_equal(linear(xs[i]), expected[i][0])
            np.testing.assert_array_equal(conv(images[i]), expected[i][1])
            np.testing.assert_array_equal(embedding([i, 2 * i]), expected[i][2])

    in_threads(work)


def test_tensors_are_decoded_by_many_threads(model):
    expected = {name: tensor.decode() for name, tensor in model.items()}

    def work(i):
        for name in list(model)[i % 2 :: 2] * 5:
            np.testing.assert_array_equal(model[name].decode(), expected[name])

    in_threads(work)


def test_files_are_compressed_by_several_threads(tmp_path):
    def work(i):
        pqw.compress(DIGITS, tmp_path / f"{i}.h5", codec="pq", effort="fast", progress=lambda p: None)

    in_threads(work, 3)
    assert len({(tmp_path / f"{i}.h5").read_bytes() for i in range(3)}) == 1


def test_other_threads_go_on_while_a_layer_works():
    layer = pqw.Linear(normal(2048, 2048), precision="exact")
    x = normal(512, 2048)
    steps, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            steps[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    before = steps[0]
    layer(x)
    during = steps[0] - before
    stop.set()
    counter.join()
    # With the GIL held, the counter would make no step between the two readings.
    assert during > 100


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def test_memory_does_not_grow_with_calls(path, model):
    linear = pqw.Linear(model["fc.weight"], model["fc.bias"])
    embedding, conv = pqw.Embedding(model["embed"]), pqw.Conv1d(model["conv1d.weight"])
    x, wide, out = normal(8, 50), normal(50, 8).T.astype("f8"), np.empty((96, 8), "f4").T

    def calls(n):
        for _ in range(n):
            linear(x)
            linear(wide, out=out)
            embedding([1, 2, 3])
            conv(normal(2, 4, 6))
            model["fc.weight"].decode()
            try:
                linear(x[:, :3])
            except ValueError:
                pass
        gc.collect()

    calls(500)
    before = resident_bytes()
    calls(10_000)
    # A call that leaks its output, or one object of Python, would grow by 500 kB or more.
    assert resident_bytes() - before < 400_000


def test_memory_does_not_grow_with_files(path, tmp_path):
    def opens(n):
        for i in range(n):
            with pqw.open(path) as model:
                pqw.Linear(model["fc.weight"])
            pqw.ProductQuantizer(4, 4, iterations=1).fit(normal(16, 16))
        gc.collect()

    opens(30)
    before = resident_bytes()
    opens(100)
    assert resident_bytes() - before < 1_500_000
