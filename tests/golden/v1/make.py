#!/usr/bin/env python3
"""How the files of this folder were made: a record, run once, with pqw of the commit in README.md.

make.py PQW MAKE FOLDER    PQW: the tool; MAKE: make.cpp.txt, compiled; FOLDER: new, without files

The tool compresses inputs that are made here; MAKE writes archives that the tool does not make. What
an archive decodes to is computed here, from its bytes as h5py and numpy read them and the text of
docs/archive_format.md; `pqw decode` has to agree. Needs numpy and h5py."""
import json
import os
import pathlib
import struct
import subprocess
import sys

import h5py
import numpy as np

KERNELS = ["portable", "avx2", "avx512", "avx512vbmi"]
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "I16": 2,
         "I32": 4, "I64": 8, "U8": 1, "U16": 2, "U32": 4, "U64": 8, "BOOL": 1}


# ---- safetensors: a file is [(name, dtype, shape, bytes)] and a metadata dict
def write_safetensors(path, tensors, metadata):
    header, offset = {"__metadata__": metadata} if metadata else {}, 0
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": list(shape),
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(t[3] for t in tensors))


def read_safetensors(path):
    data = path.read_bytes()
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + n])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        tensors[name] = (name, info["dtype"], info["shape"], data[8 + n + begin:8 + n + end])
    return tensors, metadata


# ---- floats of 16 bits and more
def to_bytes(values, dtype):
    values = np.asarray(values)
    if dtype == "BF16":  # nearest, ties to even
        bits = values.astype("<f4").view("<u4").astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    return values.astype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype]).tobytes()


def to_floats(data, dtype):
    if dtype == "BF16":
        return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
    return np.frombuffer(data, {"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype]).astype(np.float32)


# ---- archives, by the specification
def text_of(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def dataset(d):
    """(dtype, shape, bytes) as stored."""
    t, size = d.id.get_type(), d.id.get_type().get_size()
    if isinstance(t, h5py.h5t.TypeFloatID):
        dtype = {(8, 1023): "F64", (4, 127): "F32", (2, 15): "F16", (2, 127): "BF16",
                 (1, 7): "F8_E4M3", (1, 15): "F8_E5M2"}[size, t.get_ebias()]
    elif isinstance(t, h5py.h5t.TypeEnumID):
        dtype = "BOOL"
    else:
        dtype = "UI"[t.get_sign()] + str(8 * size)
    data = np.zeros(int(np.prod(d.shape, dtype=np.int64)) * size, np.uint8)
    if data.size:
        d.id.read(h5py.h5s.ALL, h5py.h5s.ALL, data.reshape(d.shape + (size,)) if d.shape else data, t)
    return dtype, d.shape, data.tobytes()


def floats_of(item):
    """A factor: a float dataset, or a part."""
    if isinstance(item, h5py.Group):
        return decode(item, None)
    dtype, shape, data = dataset(item)
    return to_floats(data, dtype).reshape(shape)


def decode_pq(group, rows, cols):
    dtype, (n_groups, k, d), data = dataset(group["codebooks"])
    codebooks = to_floats(data, dtype).reshape(n_groups, k, d)
    positions, bits = -(-cols // d), int(k - 1).bit_length()
    stream = np.unpackbits(np.frombuffer(dataset(group["codes"])[2], np.uint8), bitorder="little")
    codes = stream[:positions * rows * bits].reshape(positions, rows, bits)
    codes = (codes.astype(np.int64) << np.arange(bits)).sum(axis=2)
    w = np.zeros((rows, positions * d), np.float32)
    for g in range(n_groups):
        for p in range(positions * g // n_groups, positions * (g + 1) // n_groups):
            w[:, p * d:(p + 1) * d] = codebooks[g][codes[p]]
    return w[:, :cols]


def decode_int8(group, rows, cols):
    values = np.frombuffer(dataset(group["values"])[2], np.int8).reshape(rows, cols)
    scales = to_floats(dataset(group["scales"])[2], "F32").astype(np.float64)
    zeros = np.zeros(1)
    if "zero_points" in group:
        zeros = np.frombuffer(dataset(group["zero_points"])[2], np.int8)
    return (scales[:, None] * (values.astype(np.float64) - zeros[:, None])).astype(np.float32)


def decode_low_rank(group, rows, cols):
    outer, inner = floats_of(group["outer"]), floats_of(group["inner"])
    outer, inner = outer.reshape(rows, -1), inner.reshape(-1, cols)
    w = np.zeros((rows, cols), np.float32)
    for k in range(inner.shape[0]):  # in order, every product and sum rounded to float32
        w += outer[:, k:k + 1] * inner[k:k + 1]
    return w


def decode_tensorized(group, rows, cols):
    owner = group
    if "shared_with" in group:
        name = dataset(group["shared_with"])[2].decode().replace("/", "%2F")
        owner = group.parent[name]
    layout = [int(v) for v in np.frombuffer(dataset(group["layout"])[2], "<u8")]
    form, layers, layer, n, m = layout[:5]
    modes, ranks = layout[5:5 + n + m], layout[5 + n + m:]
    if layers > 1:
        modes, n = [layers] + modes, n + 1
    n_factors = {0: n + m, 1: n + m + 1, 2: n + m, 3: n}[form]
    f = [floats_of(owner[f"factor{i}"]).astype(np.float64) for i in range(n_factors)]
    # One array with an axis per mode, in double.
    if form == 0:
        t = np.ones((1, ranks[0]))
        for a in f:
            t = (t[:, None, :] * a[None]).reshape(-1, ranks[0])
        t = t.sum(axis=1).reshape(modes)
    elif form == 1:
        t = f[-1].reshape(ranks)
        for k in range(n + m):
            t = np.moveaxis(np.tensordot(f[k], t, (1, k)), 0, k)
    elif form == 2:
        t = np.ones((1, 1))
        for k, r in enumerate(ranks + [1]):
            t = (t @ f[k].reshape(t.shape[1], -1)).reshape(-1, r)
        t = t.reshape(modes)
    else:
        t = np.ones((1, 1, 1))  # [rows][columns][rank]
        for k, r in enumerate(ranks + [1]):
            core = f[k].reshape(t.shape[2], modes[k], modes[n + k], r)
            t = np.einsum("abr,rijs->aibjs", t, core).reshape(
                t.shape[0] * modes[k], t.shape[1] * modes[n + k], r)
        t = t[:, :, 0]
    if layers > 1:
        t, modes, n = t[layer], modes[1:], n - 1
    return t.reshape(int(np.prod(modes[:n])), -1)[:rows, :cols].astype(np.float32)


def decode(group, dtype):
    """float32 [rows, cols]; with a dtype the bytes of the tensor."""
    shape = [int(n) for n in group.attrs["shape"]]
    rows, cols = shape[0], int(np.prod(shape[1:]))
    w = {"pq": decode_pq, "int8": decode_int8, "low_rank": decode_low_rank,
         "tensorized": decode_tensorized}[text_of(group.attrs["codec"])](group, rows, cols)
    return w if dtype is None else to_bytes(w, dtype)


def name_of(link):
    if link == "%":
        return ""
    pieces = link.split("%")
    return pieces[0] + "".join(chr(int(p[:2], 16)) + p[2:] for p in pieces[1:])


def decoded(path):
    tensors = []
    with h5py.File(path, "r") as file:
        group, links = file["tensors"], []
        group.id.links.iterate(links.append, idx_type=h5py.h5.INDEX_CRT_ORDER)
        for link in (link.decode() for link in links):
            item = group[link]
            if isinstance(item, h5py.Dataset):
                tensors.append((name_of(link), *dataset(item)))
            else:
                dtype = text_of(item.attrs["dtype"])
                shape = [int(n) for n in item.attrs["shape"]]
                tensors.append((name_of(link), dtype, shape, decode(item, dtype)))
        metadata = json.loads(text_of(file["metadata"][()])) if "metadata" in file else {}
    return tensors, metadata


# ---- inputs of the tool
random = np.random.RandomState(1)


def normal(name, shape, dtype="F32"):
    values = random.standard_normal(shape).astype(np.float32) * np.float32(0.1)
    return (name, dtype, shape, to_bytes(values, dtype))


def low_rank_like(name, shape, rank, dtype="F32"):
    rows, cols = shape[0], int(np.prod(shape[1:]))
    w = random.standard_normal((rows, rank)) @ random.standard_normal((rank, cols))
    w += 0.05 * random.standard_normal((rows, cols))
    return (name, dtype, shape, to_bytes((0.1 * w).reshape(shape), dtype))


def raw(name, dtype, shape):
    n = int(np.prod(shape, dtype=np.int64))
    if dtype == "BOOL":
        data = random.randint(0, 2, n).astype(np.uint8).tobytes()
    else:
        data = random.bytes(n * SIZES[dtype])
    return (name, dtype, shape, data)


def plain_inputs():
    tensors = [raw(f"{dtype}.rank{len(shape)}", dtype, shape) for dtype in SIZES
               for shape in [(), (5,), (3, 2), (2, 1, 3), (1, 2, 2, 2)]]
    tensors += [raw(f"empty.{i}", dtype, shape) for i, (dtype, shape) in enumerate(
        [("F32", (0,)), ("I8", (0, 3)), ("BF16", (2, 0, 4)), ("F64", (0, 0))])]
    special = np.array([0x7F800000, 0xFF800000, 0x7FC00001, 0x80000000, 1], "<u4")
    tensors.append(("not finite", "F32", (5,), special.tobytes()))
    tensors.append(raw("large", "U8", (4100,)))  # contiguous, where the others are compact
    return tensors


def name_inputs():
    names = ["a/b", "/", "//x/", "100%", "%2F", "%", ".", "..", "", " ", "tab\tline\n", "\x01\x7f",
             "größe", "重み.bias", "🙂", "e\u0301", "a.b.c", "'\"\\", "n" * 300]
    return [raw(name, "F32", (i % 3,)) for i, name in enumerate(names)]


def adopted_inputs():
    def reference(base, shape, n, zero, names=("weight", "weight_scale", "weight_zero_point")):
        side = [raw(f"{base}.{names[0]}", "I8", shape)]
        scale = (0.001 + 0.01 * random.random_sample(n)).astype(np.float32)
        side.append((f"{base}.{names[1]}", "F32", (n,), scale.tobytes()))
        if zero:
            side.append(raw(f"{base}.{names[2]}", "I8", (n,)))
        return side
    return (reference("row", (15, 30), 15, False) + reference("row_zero", (15, 30), 15, True) +
            reference("tensor", (15, 22), 1, True, ("weight", "scale", "zero_point")) +
            reference("conv", (6, 3, 3, 3), 6, True) + [normal("bias", (15,))])


SET = "--set"
TOOL = {  # archive: inputs, metadata, options of `pqw quantize`
    "plain": (plain_inputs(), {}, ["--codec", "plain"]),
    "names": (name_inputs(), {"": "empty", "größe": "ü / \"quoted\"\n", "a": ""},
              ["--codec", "plain"]),
    "none": ([], {"alone": "yes"}, []),
    "pq": ([normal("k16.weight", (21, 66), "F16"), normal("k16.bias", (21,)),
            normal("k256.weight", (25, 66), "F16"), normal("k1000.weight", (49, 42)),
            normal("groups.weight", (20, 50), "BF16"), normal("f32.weight", (13, 37)),
            normal("wide.weight", (7, 99)), normal("embedding", (100, 9), "BF16"),
            normal("f64.weight", (10, 34), "F64"), normal("conv1d.weight", (12, 5, 5)),
            normal("conv2d.weight", (12, 4, 3, 3)),
            ("equal.weight", "F32", (10, 20), to_bytes(np.full((10, 20), -0.625), "F32"))], {},
           ["--codec", "pq", "--centroids", "16", "--block-size", "4", "--iterations", "5",
            SET, "k256:centroids=256", SET, "k1000:centroids=1000,block_size=2",
            SET, "groups:groups=3,centroids=8,block_size=3", SET, "f32:codebook=f32,centroids=13",
            SET, "embedding:block_size=3", SET, "f64:centroids=32,block_size=2",
            SET, "conv1d:block_size=5,centroids=6", SET, "conv2d:block_size=9"]),
    "int8": ([normal("row.weight", (15, 23)), normal("row.bias", (15,)),
              normal("affine.weight", (20, 50), "F16"), normal("tensor.weight", (17, 40), "BF16"),
              normal("tensor_affine.weight", (9, 12, 3)), normal("batch.weight", (10, 20), "F64"),
              normal("conv2d.weight", (7, 5, 3, 3))], {},
             ["--codec", "int8", SET, "^affine:scheme=affine", SET, "tensor_affine:per=tensor,"
              "scheme=affine", SET, "tensor:per=tensor", SET, "batch:activations=batch"]),
    "int8_adopted": (adopted_inputs(), {}, ["--codec", "int8"]),
    "low_rank": ([low_rank_like("plain.weight", (18, 31), 3), normal("plain.bias", (18,)),
                  low_rank_like("f16.weight", (24, 36), 3, "F16"),
                  low_rank_like("pq.weight", (22, 30), 4), low_rank_like("int8.weight", (22, 26), 6),
                  low_rank_like("conv.weight", (14, 4, 3, 3), 2)], {},
                 ["--codec", "low_rank", "--rank", "3", SET, "f16:energy=0.95,energy_of=values",
                  SET, "pq:rank=6,factors.codec=pq,factors.block_size=2,factors.centroids=8",
                  SET, "int8:rank=6,factors.codec=int8"]),
    "tensorized": ([low_rank_like(f"{form}.weight", (20, 24), 2) for form in
                    ("cp", "tucker", "tt", "ttm", "tt_pq", "cp_int8")], {},
                   ["--codec", "tensorized", "--rank", "0.3"] +
                   [a for form in ("cp", "tucker", "ttm") for a in
                    (SET, f"^{form}\\.:form={form},rank=0.3,iterations=10")] +
                   [SET, "tt_pq:rank=0.4,factors.codec=pq,factors.centroids=8,factors.block_size=2",
                    SET, "cp_int8:form=cp,rank=8,iterations=10,factors.codec=int8"]),
    "joint": ([low_rank_like(f"{form}.{i}.weight", (12, 16), 2) for i in range(3)
               for form in ("cp", "tucker", "tt")], {},
              ["--codec", "tensorized", "--rank", "0.2", "--joint", "all"] +
              [a for form in ("cp", "tucker") for a in
               (SET, f"^{form}\\.:form={form},rank=0.2,joint={form},iterations=10")]),
}


def run(*command, **environment):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          env={**os.environ, **environment})
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")
    return done


def is_close(a, b):
    a, b = (to_floats(data, "F32").astype(np.float64) for data in (a, b))
    return np.linalg.norm(a - b) <= 1e-6 * np.linalg.norm(b)


def check_decoded(pqw, archive, scratch, rounded):
    """The tool gives back the tensors and metadata computed here, under each instruction set."""
    tensors, metadata = decoded(archive)
    for kernel in KERNELS:
        run(pqw, "decode", archive, "-o", scratch, "--force", PQW_KERNEL=kernel)
        got, got_metadata = read_safetensors(scratch)
        assert got_metadata == metadata and len(got) == len(tensors), (archive, metadata)
        for name, dtype, shape, data in tensors:
            assert got[name][1:3] == (dtype, list(shape)), (archive, name)
            same = is_close(got[name][3], data) if rounded else got[name][3] == data
            assert same, (archive, name, kernel)
    return tensors, metadata


def inputs_of(cols):
    """The three rows of x of make.cpp.txt and of the test."""
    b, c = np.mgrid[:3, :cols]
    return (((7 * b + 3 * c + b * c) % 11 - 5) / 4).astype(np.float32)


def int8_products(group, x, bits):
    """What the header int8_product.h says, with integers that Python keeps exact."""
    rows, cols = int(group.attrs["shape"][0]), x.shape[1]
    values = np.frombuffer(dataset(group["values"])[2], np.int8).reshape(rows, cols).astype(int)
    scales = to_floats(dataset(group["scales"])[2], "F32").astype(np.float64)
    if "zero_points" in group:
        values = values - np.frombuffer(dataset(group["zero_points"])[2], np.int8)[:, None]
    ranges = [x] * len(x) if "activations" in group else [row[None] for row in x]
    y = np.zeros((len(x), rows), np.float32)
    for i, (row, over) in enumerate(zip(x, ranges)):
        low, high = min(0.0, float(over.min())), max(0.0, float(over.max()))
        s = (high - low) / (2 ** bits - 1)
        z = int(np.rint(-low / s))
        q = np.clip(np.rint(row * np.float32(1 / s)).astype(int), -z, 2 ** bits - 1 - z)
        y[i] = ((values @ q) * (s * scales)).astype(np.float32)
    return y


def check_served(archive, tensors, path):
    """Integer products of int8 to the bit; those of tables of pq as exact as they promise."""
    tensors = {t[0]: t for t in tensors}
    with h5py.File(archive, "r") as file:
        for key, (_, _, _, data) in read_safetensors(path)[0].items():
            how, name = key.split(" ", 1)[0], key.split(" ")[-1]
            _, dtype, shape, w = tensors[name]
            w = to_floats(w, dtype).reshape(shape[0], -1).astype(np.float64)
            bias = tensors.get(name.rsplit(".", 1)[0] + ".bias")
            bias = to_floats(bias[3], "F32") if bias else np.zeros(shape[0], np.float32)
            x, group = inputs_of(w.shape[1]), file["tensors"][name]
            y = to_floats(data, "F32").reshape(4, -1)
            if text_of(group.attrs["codec"]) == "int8":
                bits = {"fast": 8, "high": 16}[how]
                expected = np.concatenate([int8_products(group, x[:1], bits),
                                           int8_products(group, x, bits)]) + bias
                assert np.array_equal(y, expected), (archive, key)
            expected = np.concatenate([x[:1], x]).astype(np.float64) @ w.T + bias
            error = np.linalg.norm(y - expected) / np.linalg.norm(expected)
            bound = {"fast": 1.5e-2, "high": 1e-4}[how] + {"F16": 5e-4, "BF16": 4e-3}.get(dtype, 0)
            print(f"{archive.stem} {key}: {error:.1e} of {bound:.1e}")
            assert error < bound, (archive, key, error)


def main():
    pqw, make, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    folder.mkdir(exist_ok=True)
    if list(folder.iterdir()):
        sys.exit(f"{folder} has files already")
    scratch = folder / "scratch.safetensors"
    for name, (tensors, metadata, options) in TOOL.items():
        write_safetensors(scratch, tensors, metadata)
        archive = folder / f"{name}.h5"
        done = run(pqw, "quantize", scratch, "-o", archive, *options)
        print(name, done.stdout, sep="\n")
        inputs = {t[0]: t for t in tensors}
        for t in decoded(archive)[0]:  # what the codecs left alone is what came in
            if name in ("plain", "names") or t[0].endswith("bias") or t[0] == "equal.weight":
                assert t[3] == inputs[t[0]][3], t[0]
    run(make, "archives", folder)
    for archive in sorted(folder.glob("*.h5")):
        if archive.stem == "unknown":  # `pqw decode` refuses it
            continue
        rounded = archive.stem in ("tensorized", "joint")
        tensors, metadata = check_decoded(pqw, archive, scratch, rounded)
        write_safetensors(archive.with_suffix(".decoded.safetensors"), tensors, metadata)
        served = []
        for kernel in KERNELS:
            scratch.unlink(missing_ok=True)
            done = run(make, "served", archive, scratch, PQW_KERNEL=kernel)
            served.append(scratch.read_bytes() if scratch.exists() else b"")
        print(done.stderr, end="")
        assert len(set(served)) == 1, archive
        if served[0]:
            path = archive.with_suffix(".served.safetensors")
            path.write_bytes(served[0])
            check_served(archive, tensors, path)
    scratch.unlink(missing_ok=True)


main()
