"""Formats that people use in place of pqw, for rate.py: each takes a float32 array and returns the
bytes that it stores and the decoded array."""
import ctypes

import numpy

# QLoRA (Dettmers et al. 2023), appendix E: the quantiles of a normal distribution.
NF4 = numpy.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
                   -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
                   0.07958029955625534, 0.16093020141124725, 0.24611230194568634,
                   0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                   0.7229568362236023, 1.0], "f4")
GGML_TYPES = {"ggml Q4_0": 2, "ggml Q2_K": 10, "ggml Q3_K": 11, "ggml Q4_K": 12}


def in_groups(values, size):
    """[groups, size], the last one filled with zeros."""
    flat = values.ravel()
    return numpy.pad(flat, (0, -flat.size % size)).reshape(-1, size)


def packed(codes):
    """Two codes of 4 bits to a byte."""
    flat = codes.astype("u1").ravel()
    return (flat[::2] | flat[1::2] << 4).tobytes()


def rounding(size):
    """Round to nearest, 4 bits, in groups of that size with an F16 scale and a 4-bit zero point."""
    def encode(values):
        groups = in_groups(values, size)
        low = numpy.minimum(groups.min(1, keepdims=True), 0)
        high = numpy.maximum(groups.max(1, keepdims=True), 0)
        scale = numpy.maximum((high - low) / 15, 1e-7).astype("f2").astype("f4")
        zero = numpy.clip(numpy.rint(-low / scale), 0, 15)
        codes = numpy.clip(numpy.rint(groups / scale) + zero, 0, 15)
        zeros = numpy.pad(zero.ravel(), (0, zero.size % 2))
        data = packed(codes) + scale.astype("f2").tobytes() + packed(zeros)
        return data, ((codes - zero) * scale).ravel()[:values.size].reshape(values.shape)
    return encode


def nf4(values):
    """In groups of 64 with an F16 scale."""
    groups = in_groups(values, 64)
    scale = numpy.maximum(abs(groups).max(1, keepdims=True), 1e-7).astype("f2").astype("f4")
    middles = (NF4[1:] + NF4[:-1]) / 2
    codes = numpy.searchsorted(middles, groups / scale)
    decoded = NF4[codes] * scale
    return packed(codes) + scale.astype("f2").tobytes(), \
        decoded.ravel()[:values.size].reshape(values.shape)


class _TypeTraits(ctypes.Structure):
    """The head of ggml_type_traits (ggml.h)."""
    _fields_ = [("type_name", ctypes.c_char_p), ("blck_size", ctypes.c_int64),
                ("blck_size_interleave", ctypes.c_int64), ("type_size", ctypes.c_size_t),
                ("is_quantized", ctypes.c_bool),
                ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p,
                                              ctypes.c_int64))]


def ggml(library, kind):
    """A block format of ggml, over the weights as one row."""
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + \
        [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    library.ggml_get_type_traits.restype = ctypes.POINTER(_TypeTraits)
    traits = library.ggml_get_type_traits(kind).contents

    def encode(values):
        row = numpy.ascontiguousarray(in_groups(values, traits.blck_size).ravel())
        data = ctypes.create_string_buffer(row.size // traits.blck_size * traits.type_size)
        library.ggml_quantize_chunk(kind, row.ctypes.data, data, 0, 1, row.size, None)
        decoded = numpy.empty_like(row)
        traits.to_float(ctypes.addressof(data), decoded.ctypes.data, row.size)
        return data.raw, decoded[:values.size].reshape(values.shape)
    return encode


def rivals(ggml_path):
    """Name -> function."""
    found = {"int4, groups of 32": rounding(32), "int4, groups of 128": rounding(128), "NF4": nf4}
    if ggml_path:
        library = ctypes.CDLL(str(ggml_path))
        found |= {name: ggml(library, kind) for name, kind in GGML_TYPES.items()}
    return found
