"""Fills models with decoded weights."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy
import torch
from torch import nn
from torch.nn.modules.module import _IncompatibleKeys

import pqw
from pqw.archive import PathLike
from pqw.torch.places import Place, modules_of, parameters_of, tensor_of


def decoded(tensor: pqw.Tensor) -> torch.Tensor:
    """A tensor of an archive in its own type."""
    if tensor.dtype == "bfloat16":  # numpy does not have it
        return torch.from_numpy(tensor.decode("bfloat16").view(numpy.int16)).view(torch.bfloat16)
    return torch.from_numpy(tensor.decode())


class _Decoded(MutableMapping[str, Any]):
    """A state dict that decodes a tensor when it is asked for, and keeps none of them.

    Hooks of modules may set and delete keys.
    """

    def __init__(self, tensors: dict[str, Any]) -> None:
        self._tensors = tensors

    def __getitem__(self, name: str) -> torch.Tensor:
        value = self._tensors[name]
        return value if isinstance(value, torch.Tensor) else decoded(value)

    def __setitem__(self, name: str, value: Any) -> None:
        self._tensors[name] = value

    def __delitem__(self, name: str) -> None:
        del self._tensors[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def below(self, prefix: str) -> _Decoded:
        """The names that begin with the prefix, as load_state_dict passes them to a module."""
        return _Decoded({name: value for name, value in self._tensors.items()
                         if name.startswith(prefix)})


def state_of(model: nn.Module, archive: pqw.Archive) -> dict[str, pqw.Tensor]:
    """The tensors of the archive by name; tied parameters have all their names."""
    tensors = dict(archive)
    for places in parameters_of(model):
        tensor = tensor_of(archive, places)
        if tensor is not None:
            for place in places:
                tensors.setdefault(place.name, tensor)
    return tensors


def _materialize(model: nn.Module) -> set[str]:
    """Gives memory to tensors on the device "meta", and returns their names."""
    names: set[str] = set()
    made: dict[int, Any] = {}
    for module_name, module, _, _ in modules_of(model):
        for tensors in (module._parameters, module._buffers):
            for attribute, value in list(tensors.items()):
                if value is None or not value.is_meta:
                    continue
                names.add(Place(module_name, module, attribute).name)
                if id(value) not in made:
                    empty = torch.empty_like(value, device="cpu")
                    is_parameter = isinstance(value, nn.Parameter)
                    made[id(value)] = (
                        nn.Parameter(empty, value.requires_grad) if is_parameter else empty
                    )
                setattr(module, attribute, made[id(value)])  # nn.LSTM notices
    return names


def fill(
    model: nn.Module, tensors: dict[str, pqw.Tensor], path: str, strict: bool = True
) -> _IncompatibleKeys:
    """load_into for open tensors by name; `path` is for messages."""
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []
    without_values = _materialize(model) - set(tensors)

    def load(module: nn.Module, state: _Decoded, prefix: str) -> None:
        module._load_from_state_dict(state, prefix, {}, True, missing, unexpected, errors)
        for name, child in module._modules.items():
            if child is not None:
                load(child, state.below(f"{prefix}{name}."), f"{prefix}{name}.")
        for hook in module._load_state_dict_post_hooks.values():
            hook(module, _IncompatibleKeys(missing, unexpected))

    load(model, _Decoded(tensors), "")
    if strict and missing:
        errors.append(f"the archive has no {listed(missing)}")
    if strict and unexpected:
        errors.append(f"the model has no {listed(unexpected)}")
    if without_values:
        errors.append(f'the model is on the device "meta", and has no values of its own for '
                      f"{listed(sorted(without_values))}")
    if errors:
        raise RuntimeError(f"{path}: does not fit {type(model).__name__}: {'; '.join(errors)}")
    return _IncompatibleKeys(missing, unexpected)


def listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more


def load_into(
    model: nn.Module, path: PathLike | pqw.Archive, strict: bool = True
) -> _IncompatibleKeys:
    """Fills the parameters and buffers of a model with the decoded tensors of an archive.

    As model.load_state_dict does with the decoded state dict: shapes have to match, and types are
    converted to those of the model. One tensor at a time is decoded. Tensors of the model on the
    device "meta" get memory of the CPU.

    path: an archive, a weight file that pqw reads, or an open pqw.Archive.
    strict: every tensor of the archive has a place in the model, and every one of the model is in
        the archive; of tied parameters one name is enough.

    Returns the named tuple (missing_keys, unexpected_keys) of load_state_dict.
    Raises RuntimeError, as load_state_dict, if names or shapes do not fit.
    """
    with opened(path) as archive:
        return fill(model, state_of(model, archive), archive.path, strict)


def opened(path: PathLike | pqw.Archive) -> AbstractContextManager[pqw.Archive]:
    """An archive given by its path, which is closed at the end, or open already, which is not."""
    if isinstance(path, pqw.Archive):
        return nullcontext(path)
    return pqw.open(path)
