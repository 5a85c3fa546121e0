"""Read and write safetensors files with numpy alone.

Layout: uint64 little-endian header length, JSON header {name: {dtype, shape, data_offsets}},
then the tensors' bytes, offsets counted from the end of the header.
"""
import json
import struct

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
          "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}
NAMES = {np.dtype(code): name for name, code in DTYPES.items() if name != "BF16"}


def read(path):
    """Returns {name: array} in file order; BF16, which numpy lacks, is widened to float32."""
    with open(path, "rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_bytes))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        array = np.frombuffer(data[begin:end], DTYPES[info["dtype"]]).reshape(info["shape"])
        if info["dtype"] == "BF16":
            array = (array.astype("<u4") << 16).view("<f4")
        tensors[name] = array
    return tensors


def write(path, tensors, metadata=None):
    """Writes {name: array}; the header is padded so that the data starts 8-byte aligned."""
    header, blobs, offset = {"__metadata__": metadata} if metadata else {}, [], 0
    for name, array in tensors.items():
        blobs.append(array.tobytes())
        end = offset + len(blobs[-1])
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
