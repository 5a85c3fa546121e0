"""Compresses models and state dicts of PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
import torch
from torch import nn

import pqw
from pqw.archive import PathLike


def compress(
    source: nn.Module | Mapping[str, torch.Tensor], target: PathLike, **settings: Any
) -> pqw.Report:
    """pqw.compress for the tensors of a model, or of a state dict, on any device.

    settings: those of pqw.compress.

    Returns a Report. Raises what pqw.compress raises.
    """
    arrays, dtypes = {}, {}
    for name, tensor in (source.state_dict() if isinstance(source, nn.Module) else source).items():
        values = tensor.detach().cpu()
        if values.dtype == torch.bfloat16:  # numpy does not have it
            dtypes[name] = "bfloat16"
            arrays[name] = values.view(torch.int16).numpy().view(numpy.uint16)
        else:
            arrays[name] = values.numpy()
    return pqw.compress(arrays, target, dtype=dtypes, **settings)
