"""Decodes the weights of tcq.h5 from their definition: make.py OUTPUT.

W[r][c] = row_step(r) * n[r][c] + means[c], product and sum each rounded to float32; row_step = step * 2^(-fineness / 2), for
odd fineness step * sqrt(1/2) rounded to float32 first.
"""
import json
import struct
import sys


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def truncated(a, b):
    return abs(a) // b * (1 if a >= 0 else -1)


def index_at(r, c, cols, width, by_row):
    x = ((r * cols + c) * 6364136223846793005 + 1442695040888963407) % 2**64 >> 20
    k = x % 7 + x // 7 % 7 + x // 49 % 7 - 9
    if c % 5 == 0:
        k *= 3
    if by_row and r % 3 != 0:
        k = truncated(k, 4)
    return truncated(k * width, 4)


def decoded(rows, cols, width, scaled, means, by_row):
    step, root = f32(0.0371), f32(0.5**0.5)
    states, values = [0] * 8, []
    for r in range(rows):
        lane, fine = r % 8, r * 5 % 12 if scaled else 0
        if r // 8 % -(-128 // cols) == 0:
            states[lane] = 0
        row_step = (f32(step * root) if fine % 2 else step) / 2 ** (fine // 2)
        for c in range(cols):
            k, s = index_at(r, c, cols, width, by_row), states[lane]
            n = 2 * k - (((k > 0) - (k < 0)) if s % 2 else 0)
            states[lane] = s >> 1 ^ (5 if s % 2 else 0) ^ (2 if k % 2 else 0)
            values.append(f32(f32(row_step * n) + ((c * 7 % 31 - 15) / 64 if means else 0)))
    return values


tensors = [
    ("columns.weight", "F32", [40, 200], decoded(40, 200, 4, False, False, False)),
    ("rows.weight", "F32", [83, 130], decoded(83, 130, 4, False, False, True)),
    ("steps.weight", "F16", [33, 64], decoded(33, 64, 5, True, True, False)),
    ("wide.weight", "F32", [12, 40], decoded(12, 40, 2400, False, True, False)),
    ("conv.weight", "F32", [150, 1, 3, 3], decoded(150, 9, 3, True, False, False)),
    ("zeros.weight", "F32", [3, 50], decoded(3, 50, 0, False, False, False)),
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
