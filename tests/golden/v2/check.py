#!/usr/bin/env python3
"""Compares the archives of this folder with those of version 1, by readers that follow
docs/archive_format.md alone: check.py V1_FOLDER V2_FOLDER. A record, run once; needs numpy and h5py."""
import hashlib
import json
import pathlib
import sys
import urllib.parse

import h5py
import numpy as np

BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "I8": 8, "I16": 16,
        "I32": 32, "I64": 64, "U8": 8, "U16": 16, "U32": 32, "U64": 64, "BOOL": 8}


def read_version2(path):
    """Metadata and {name: tensor}; bytes in the place of dtypes and shapes of arrays."""
    with h5py.File(path, "r") as file:
        text, data, manifest = (file[name][:].tobytes() for name in ("index", "data", "manifest"))
    parts = [text] + [data[i:i + 65536] for i in range(0, len(data), 65536)]
    assert manifest == b"".join(hashlib.sha256(part).digest() for part in parts), path
    index, at = json.loads(text), 0
    rest = data[len(data) - text.count(b"?"):]  # no name of these archives has a '?'

    def options(text):
        nonlocal rest
        while "?" in text:
            text, rest = text.replace("?", chr(rest[0]), 1), rest[1:]
        return text

    def array(dtype, shape):
        nonlocal at
        at += BITS[dtype] // 8 * int(np.prod(shape, dtype=object))
        return dtype, shape, data[at - BITS[dtype] // 8 * int(np.prod(shape, dtype=object)):at]

    def record(tensor):
        if "codec" not in tensor:
            return array(tensor["dtype"], tensor["shape"])
        made = options(tensor.get("options", ""))
        sections = {name: array(dtype, shape) for name, dtype, shape in tensor.get("sections", [])}
        parts = {part["name"]: record(part) for part in tensor.get("parts", [])}
        head = [tensor[key] for key in ("codec", "dtype", "shape")]
        return head, tensor.get("features", []), made, sections, parts

    tensors = {urllib.parse.unquote_to_bytes(t["name"]): record(t) for t in index["tensors"]}
    assert at + text.count(b"?") == len(data) and not rest, path
    return index.get("metadata", {}), tensors


def read_version1(path):
    def dtype_of(dataset):
        kind, stored = dataset.dtype.kind, dataset.id.get_type()
        size = stored.get_size()
        if kind == "b":
            return "BOOL"
        if kind in "iu":
            return kind.upper() + str(8 * size)
        exponent_bits = stored.get_fields()[2]
        return {(2, 8): "BF16", (1, 4): "F8_E4M3", (1, 5): "F8_E5M2"}.get(
            (size, exponent_bits), f"F{8 * size}")

    def array(dataset):
        raw = np.empty(dataset.shape, f"V{dataset.id.get_type().get_size()}")
        if dataset.size:
            dataset.id.read(h5py.h5s.ALL, h5py.h5s.ALL, raw, dataset.id.get_type())
        return dtype_of(dataset), list(dataset.shape), raw.tobytes()

    def text(value):
        return (value.tobytes() if isinstance(value, np.ndarray) else bytes(value)).rstrip(b"\0").decode()

    def record(item):
        if isinstance(item, h5py.Dataset):
            return array(item)
        attrs = item.attrs
        head = [text(attrs["codec"]), text(attrs["dtype"]), [int(n) for n in attrs["shape"]]]
        features = text(attrs["features"]).split(",") if "features" in attrs else []
        options = text(attrs["options"]) if "options" in attrs else ""
        sections = {k: array(v) for k, v in item.items() if isinstance(v, h5py.Dataset)}
        parts = {k: record(v) for k, v in item.items() if isinstance(v, h5py.Group)}
        return head, features, options, sections, parts

    with h5py.File(path, "r") as file:
        metadata = json.loads(file["metadata"][()]) if "metadata" in file else {}
        names, group = [], file["tensors"]
        group.id.links.iterate(names.append, idx_type=h5py.h5.INDEX_CRT_ORDER)
        return metadata, {b"" if n == b"%" else urllib.parse.unquote_to_bytes(n):
                          record(group[n]) for n in names}


for new in sorted(pathlib.Path(sys.argv[2]).glob("*.h5")):
    expected, found = read_version1(pathlib.Path(sys.argv[1]) / new.name), read_version2(new)
    assert expected == found and list(expected[1]) == list(found[1]), new
    print(new.name, len(found[1]), "tensors")
