"""Decodes the weights of additive.h5 from their definition: make.py OUTPUT.

W[r][p*d + j] = row_scales[r] * sum over m of codebooks[m][group of p][code(m, p, r)][j], each sum and the product
rounded to float32.
"""
import json
import struct
import sys


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def decoded(rows, cols, d, k, additive, groups=1, scales=None):
    book = [(i * 5 % 17 - 8) / 4 + i % 3 / 64 for i in range(additive * groups * k * d)]
    positions = -(-cols // d)
    codes = [(i * 7 + i // 13) % k for i in range(additive * positions * rows)]
    values = []
    for r in range(rows):
        for c in range(cols):
            p, j = divmod(c, d)
            group = max(g for g in range(groups) if positions * g // groups <= p)
            total = 0.0
            for m in range(additive):
                code = codes[(m * positions + p) * rows + r]
                total = f32(total + book[((m * groups + group) * k + code) * d + j])
            values.append(f32(total * scales[r]) if scales else total)
    return values


tensors = [
    ("two.weight", [12, 21], decoded(12, 21, 8, 256, 2)),
    ("groups.weight", [9, 30], decoded(9, 30, 4, 5, 3, 2)),
    ("scaled.weight", [8, 4, 3, 3], decoded(8, 36, 9, 16, 4, 1, [0, 0.25, 0.5, 1, 1.5, 2, 3, 2.0**-10])),
]
header, data = {"__metadata__": {"made": "by hand"}}, b""
for name, shape, values in tensors:
    added = struct.pack(f"<{len(values)}f", *values)
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(added)]}
    data += added
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(sys.argv[1], "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + data)
