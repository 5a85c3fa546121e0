"""Writes archives of models whose codebooks were trained."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

import numpy
import torch
from torch import nn

import pqw
from pqw import _native
from pqw.archive import PathLike
from pqw.torch.compress import compress
from pqw.torch.load import decoded, listed
from pqw.torch.places import modules_of, parameters_of
from pqw.torch.trainable import PqWeight


def pq_weights(model: nn.Module) -> list[PqWeight]:
    """The trained weights of a model, each once."""
    return [module for module in model.modules() if isinstance(module, PqWeight)]


def _bytes_of(tensor: torch.Tensor) -> Any:
    """The elements of a tensor, row-major, as bytes."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _require_codes(weight: PqWeight) -> None:
    """The codes are those of the archive: they are not written from the model."""
    with pqw.open(weight.archive) as archive:
        codes = _native.pq_values(archive[weight.names[0]]).indices
    if not numpy.array_equal(codes, weight.codes.cpu().numpy()):
        raise ValueError(f"{weight.archive}: the model has other codes of '{weight.names[0]}'; "
                         "it was loaded from the state of another archive")


def _pq_values(weight: PqWeight) -> tuple[str, Any, Any]:
    scales = weight.row_scales
    return (weight.archive, weight.codebooks.detach().cpu().float().numpy(),
            None if scales is None else scales.detach().cpu().float().clamp(0, 2).numpy())


def _changed(archive: pqw.Archive, state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The tensors of the model that differ from those of the archive, as bytes by name."""
    changed = {}
    for name in archive:
        if name not in state:
            continue
        old = decoded(archive[name])
        new = state[name].detach().cpu()
        if torch.equal(new, old.to(new.dtype)):
            continue  # also if the model has a narrower type
        if archive[name].codec != "plain":
            raise ValueError(f"{archive.path}: tensor '{name}' is stored by codec "
                             f"{archive[name].codec}, and its values in the model were changed; "
                             "only codebooks and plain tensors can be saved")
        changed[name] = _bytes_of(new.to(old.dtype))
    return changed


def _dense_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict that the model would have with dense weights."""
    state = {}
    for name, value in model.state_dict().items():
        found = re.fullmatch(r"(?:(.*)\.)?parametrizations\.(\w+)\.0\.(\w+)", name)
        if found is None:
            state[name] = value
        elif found[3] == "codebooks":
            module = model.get_submodule(found[1] or "")
            state[f"{found[1]}.{found[2]}" if found[1] else found[2]] = getattr(module, found[2])
    return state


def _require_places(model: nn.Module, archive: pqw.Archive) -> None:
    """Every tensor of the model is in the archive; of tied ones, one name is enough."""
    known = set(archive)
    for name, module, _, _ in modules_of(model):
        if isinstance(module, PqWeight):
            known |= {f"{name}.{key}" for key in module.state_dict()}
    for places in parameters_of(model):
        names = {place.name for place in places}
        if names & known:
            known |= names
    lost = [name for name in model.state_dict() if name not in known]
    if lost:
        raise ValueError(f"{archive.path}: the archive has no {listed(lost)}, and save adds no "
                         "tensors: begin with an archive of the whole model")


def _replace(
    archive_path: str, path: PathLike, model: nn.Module, values: dict[str, Any], overwrite: bool
) -> int:
    with pqw.open(archive_path) as archive:
        _require_places(model, archive)
        changed = _changed(archive, {name: value for name, value in model.state_dict().items()
                                     if name not in values})
    return _native.replace_values(archive_path, path, {**changed, **values}, overwrite)


def save(model: nn.Module, path: PathLike, overwrite: bool = False) -> int:
    """Writes an archive of a model that `trainable` made, with the trained values.

    It is a copy of the archive that the model came from. Codes are the same bytes; so are tensors
    that the model does not have. Codebooks and row scales have the trained values, rounded to the
    types of the archive; so have the tensors that are not compressed. A model of layer_by_layer has
    codes of several archives; all its other tensors are stored as they are.

    Returns the size of the file in bytes.
    Raises ValueError if a tensor cannot be stored or is not in the archive, FileExistsError if the
    file exists and overwrite is false. After an error the old file is as it was.
    """
    weights = pq_weights(model)
    if not weights:
        raise ValueError("the model has no codebooks: call pqw.torch.trainable(model, path) first")
    for weight in weights:
        _require_codes(weight)
    values = {name: _pq_values(weight) for weight in weights for name in weight.names}
    if all(weight.folder is None for weight in weights):
        return _replace(weights[0].archive, path, model, values, overwrite)
    with tempfile.TemporaryDirectory(prefix="pqw-") as folder:
        dense = os.path.join(folder, "dense.h5")
        compress(_dense_state(model), dense, codec="plain")
        return _replace(dense, path, model, values, overwrite)
