"""Decodes the weights of row_scales.h5 from their definition: make.py OUTPUT.

W[r][p*d + j] = row_scales[r] * codebooks[group of p][code(p, r)][j], rounded once to float32; a byte c of row_scales
is 2^((c - 239) / 16), rounded to float32, or 0 for c = 0.
"""
import json
import struct
import sys


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def log8(code):
    return f32(2.0 ** ((code - 239) / 16)) if code else 0.0


def decoded(rows, cols, d, k, groups, scales):
    book = [(i * 5 % 17 - 8) / 4 + i % 3 / 64 for i in range(groups * k * d)]
    positions = -(-cols // d)
    codes = [(i * 7 + i // 13) % k for i in range(positions * rows)]
    values = []
    for r in range(rows):
        for c in range(cols):
            p, j = divmod(c, d)
            group = max(g for g in range(groups) if positions * g // groups <= p)
            values.append(f32(scales[r] * book[(group * k + codes[p * rows + r]) * d + j]))
    return values


half = [0, 2.0**-24, 3 * 2.0**-24, 0.25, 0x155 / 1024 / 4 + 0.25, 1, 1.5, 2, 3]
tensors = [
    ("all_codes.weight", "F32", [256, 5], decoded(256, 5, 2, 4, 1, [log8(r) for r in range(256)])),
    ("groups.weight", "F16", [21, 50], decoded(21, 50, 3, 256, 2, [log8((r * 37 + 101) % 256) for r in range(21)])),
    ("half.weight", "F32", [9, 12], decoded(9, 12, 4, 16, 1, half)),
    ("conv.weight", "F32", [6, 4, 3, 3], decoded(6, 36, 9, 7, 1, [log8(200 + 11 * r) for r in range(6)])),
    ("without.weight", "F32", [4, 6], decoded(4, 6, 2, 5, 1, [1] * 4)),
]
header, data = {"__metadata__": {"made": "by hand"}}, b""
for name, dtype, shape, values in tensors:
    code = {"F32": "f", "F16": "e"}[dtype]
    added = struct.pack(f"<{len(values)}{code}", *values)
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(added)]}
    data += added
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
