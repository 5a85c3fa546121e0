"""Product-quantized weights of neural networks: compress, decode, measure and multiply.

    pqw.compress("model.safetensors", "model.h5")
    with pqw.open("model.h5") as model:
        fc = pqw.Linear(model["fc.weight"], model["fc.bias"])
        y = fc(x)  # x: [..., in_features], y: [..., out_features]

All functions raise ValueError for arguments that do not fit, FileNotFoundError, FileExistsError and
other OSErrors for files, KeyError for names of tensors, and FormatError for damaged files. They
release the GIL while they work. A forked child process computes on one thread.
"""

from pqw._native import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    Embedding,
    FormatError,
    Linear,
    Progress,
    Report,
    Tensor,
    TensorReport,
    __version__,
    evaluate,
    inspect,
    verify,
)
from pqw.archive import Archive, open
from pqw.compression import compress
from pqw.quantizer import ProductQuantizer

__all__ = [
    "Archive",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "Embedding",
    "FormatError",
    "Linear",
    "ProductQuantizer",
    "Progress",
    "Report",
    "Tensor",
    "TensorReport",
    "__version__",
    "compress",
    "evaluate",
    "inspect",
    "open",
    "verify",
]
