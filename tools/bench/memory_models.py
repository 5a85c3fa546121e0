"""Models of equal tensors in every format that pqw reads, for memory.py. Only one tensor is in memory."""
import gzip
import json
import pathlib
import pickle
import random
import struct
import subprocess
import sys
import types
import zipfile

MIB = 1 << 20
N_TENSORS = 8
ROWS = 2048
TYPES = {"F16": "e", "F32": "f", "F64": "d"}  # of struct


class Tensors:
    """N_TENSORS matrices of ROWS rows and about that many bytes, of which no two are equal."""

    def __init__(self, tensor_bytes, dtype):
        self.dtype, self.size = dtype, struct.calcsize(TYPES[dtype])
        self.columns = tensor_bytes // ROWS // self.size
        self.n_bytes = ROWS * self.columns * self.size
        self.names = [f"layer{i}.weight" for i in range(N_TENSORS)]
        draw = random.Random(1).uniform
        values = struct.pack(f"<{MIB}{TYPES[dtype]}", *(draw(-1, 1) for _ in range(MIB)))
        self.values = values * (self.n_bytes // len(values) + 2)

    def data(self, i):
        return memoryview(self.values)[i * self.size:][:self.n_bytes]


def write_safetensors(path, tensors, which=range(N_TENSORS)):
    n = tensors.n_bytes
    header = {tensors.names[i]: {"dtype": tensors.dtype, "shape": [ROWS, tensors.columns],
                                 "data_offsets": [k * n, (k + 1) * n]}
              for k, i in enumerate(which)}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    opened = gzip.open(path, "wb", compresslevel=0) if path.suffix == ".gz" else open(path, "wb")
    with opened as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for i in which:
            file.write(tensors.data(i))


def write_sharded(path, tensors):
    path.mkdir()
    halves = {"first.safetensors": range(0, N_TENSORS // 2),
              "second.safetensors": range(N_TENSORS // 2, N_TENSORS)}
    for name, which in halves.items():
        write_safetensors(path / name, tensors, which)
    files = {tensors.names[i]: name for name, which in halves.items() for i in which}
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))


def varint(value):
    text = b""
    while value >= 0x80:
        text, value = text + bytes([value & 0x7F | 0x80]), value >> 7
    return text + bytes([value])


def head(number, n_bytes):  # of a field of bytes in protobuf
    return varint(number << 3 | 2) + varint(n_bytes)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return head(number, len(value)) + value


def write_onnx(path, tensors, external=False):
    """MatMul nodes side by side, each with its own weight [in, out]."""
    data = path.name + ".data"
    nodes, starts = b"", []
    for i, name in enumerate(tensors.names):
        nodes += field(1, field(1, f"x{i}") + field(1, name) + field(2, f"y{i}") + field(4, "MatMul"))
        start = field(1, ROWS) + field(1, tensors.columns) + field(2, 1) + field(8, name)
        if external:
            entries = {"location": data, "offset": i * tensors.n_bytes, "length": tensors.n_bytes}
            for key, value in entries.items():
                start += field(13, field(1, key) + field(2, str(value)))
            start = field(5, start + field(14, 1))
        else:
            start += head(9, tensors.n_bytes)
            start = head(5, len(start) + tensors.n_bytes) + start
        starts.append(start)
    n_inline = 0 if external else tensors.n_bytes
    n_graph = len(nodes) + sum(len(start) + n_inline for start in starts)
    with open(path, "wb") as model, open(path.with_name(data), "wb") as values:
        model.write(field(1, 8) + field(2, "bench") + field(8, field(2, 17)) + head(7, n_graph))
        model.write(nodes)
        for i, start in enumerate(starts):
            model.write(start)
            (values if external else model).write(tensors.data(i))


class TorchPickler(pickle.Pickler):
    """Pickles a dict of the names and indices of tensors as torch.save does, without torch."""

    class Storage:
        def __init__(self, index):
            self.index = index

    class Tensor:
        def __init__(self, *arguments):
            self.arguments = arguments

        def __reduce__(self):
            return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments

    def __init__(self, file, tensors, is_legacy):
        super().__init__(file, protocol=2)
        self.tensors, self.is_legacy = tensors, is_legacy
        for module, name in (("torch", "FloatStorage"), ("torch._utils", "_rebuild_tensor_v2")):
            stand_in = types.new_class(name)
            stand_in.__module__ = module
            sys.modules.setdefault(module, types.ModuleType(module))
            setattr(sys.modules[module], name, stand_in)

    def persistent_id(self, item):
        if not isinstance(item, TorchPickler.Storage):
            return None
        identity = ("storage", sys.modules["torch"].FloatStorage, str(item.index), "cpu",
                    self.tensors.n_bytes // self.tensors.size)
        return identity + (None,) if self.is_legacy else identity

    def dump_model(self):
        columns = self.tensors.columns
        self.dump({name: TorchPickler.Tensor(TorchPickler.Storage(i), 0, (ROWS, columns),
                                             (columns, 1), False, {})
                   for i, name in enumerate(self.tensors.names)})


def write_torch_zip(path, tensors):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        with file.open("model/data.pkl", "w") as member:
            TorchPickler(member, tensors, False).dump_model()
        for i in range(N_TENSORS):
            with file.open(f"model/data/{i}", "w", force_zip64=True) as member:
                member.write(tensors.data(i))
        file.writestr("model/version", "3\n")


def write_torch_legacy(path, tensors):
    with open(path, "wb") as file:
        for item in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
            pickle.dump(item, file, protocol=2)
        TorchPickler(file, tensors, True).dump_model()
        pickle.dump([str(i) for i in range(N_TENSORS)], file, protocol=2)
        for i in range(N_TENSORS):
            file.write(struct.pack("<q", tensors.n_bytes // tensors.size))
            file.write(tensors.data(i))


def write_gguf(path, tensors):
    text = b"GGUF" + struct.pack("<IQQ", 3, N_TENSORS, 0)
    for i, name in enumerate(tensors.names):
        text += struct.pack("<Q", len(name)) + name.encode()
        text += struct.pack("<IQQIQ", 2, tensors.columns, ROWS, 0, i * tensors.n_bytes)
    with open(path, "wb") as file:
        file.write(text + b"\0" * (-len(text) % 32))
        for i in range(N_TENSORS):
            file.write(tensors.data(i))


def write_tfjs(path, tensors):
    weights = [{"name": name, "shape": [ROWS, tensors.columns], "dtype": "float32"}
               for name in tensors.names]
    manifest = [{"paths": ["group1.bin"], "weights": weights}]
    path.write_text(json.dumps({"format": "layers-model", "weightsManifest": manifest}))
    with open(path.with_name("group1.bin"), "wb") as file:
        for i in range(N_TENSORS):
            file.write(tensors.data(i))


def write_by_pqw(pqw, path, tensors):
    plain, archive = path.with_name("plain.safetensors"), path.with_name("plain.pqw.h5")
    write_safetensors(plain, tensors)
    for command in (["quantize", plain, "-o", archive, "--codec", "plain"],
                    ["decode", archive, "-o", path]):
        subprocess.run([pqw, *map(str, command), "--force", "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
    plain.unlink()
    archive.unlink()


def write_keras(pqw, path, tensors, method):
    weights = path.with_name("weights.h5")
    write_by_pqw(pqw, weights, tensors)
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as file:
        file.writestr("config.json", "{}")
        file.write(weights, "model.weights.h5")
    weights.unlink()


WRITERS = {  # by the name of the format: the name of the file, and what writes it
    "safetensors": ("m.safetensors", lambda pqw, *model: write_safetensors(*model)),
    "safetensors.gz": ("m.safetensors.gz", lambda pqw, *model: write_safetensors(*model)),
    "sharded": ("m", lambda pqw, *model: write_sharded(*model)),
    "npz": ("m.npz", write_by_pqw),
    "h5": ("m.h5", write_by_pqw),
    "keras": ("m.keras", lambda *model: write_keras(*model, zipfile.ZIP_STORED)),
    "keras deflated": ("m.keras", lambda *model: write_keras(*model, zipfile.ZIP_DEFLATED)),
    "onnx": ("m.onnx", lambda pqw, *model: write_onnx(*model)),
    "onnx external": ("m.onnx", lambda pqw, *model: write_onnx(*model, external=True)),
    "torch zip": ("m.pt", lambda pqw, *model: write_torch_zip(*model)),
    "torch legacy": ("m.pt", lambda pqw, *model: write_torch_legacy(*model)),
    "gguf": ("m.gguf", lambda pqw, *model: write_gguf(*model)),
    "tfjs": ("model.json", lambda pqw, *model: write_tfjs(*model)),
}


def write_model(pqw, folder, name, tensor_bytes, dtype):
    """Writes a file or folder of that format; returns nothing, as it runs in a process of its own."""
    file, write = WRITERS[name]
    write(pqw, pathlib.Path(folder) / file, Tensors(tensor_bytes, dtype))
