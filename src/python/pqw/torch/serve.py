"""Replaces layers of a model by layers that compute with the codes of an archive."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from torch import nn

import pqw
from pqw.archive import PathLike
from pqw.torch.layers import (ServedConv, ServedConvTranspose, ServedEmbedding,
                              ServedEmbeddingBag, ServedLinear)
from pqw.torch.load import fill, opened, state_of
from pqw.torch.places import modules_of, parameters_of
from pqw.torch.report import Layer, Report

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
_SERVED = {
    nn.Linear: ServedLinear, nn.Embedding: ServedEmbedding, nn.EmbeddingBag: ServedEmbeddingBag,
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), ServedConv),
    **dict.fromkeys(_TRANSPOSED, ServedConvTranspose)}


def _expected_axes(module: nn.Module) -> tuple[int, ...]:
    """Which dimension of the weight is out, in, kernel... in turn."""
    rank = module.weight.dim()
    return (1, 0, *range(2, rank)) if isinstance(module, _TRANSPOSED) else tuple(range(rank))


def _obstacle(module: nn.Module, parent: nn.Module | None, tensor: pqw.Tensor) -> str:
    """Why the layer cannot be served; "" if it can."""
    if isinstance(parent, nn.MultiheadAttention):
        return "MultiheadAttention multiplies with this weight itself"
    if type(module) not in _SERVED:
        return f"{type(module).__name__} uses its weights in its own way"
    if parent is None:
        return "the model itself cannot be replaced: put it in nn.Sequential"
    if tensor.codec == "plain":
        return "the archive stores the values as they were"
    if module._forward_hooks or module._forward_pre_hooks:
        return "the layer has hooks"
    if getattr(module, "max_norm", None) is not None:
        return "max_norm changes the weight"
    if isinstance(module, nn.EmbeddingBag) and module.mode == "max":
        return "mode max is not supported, only sum and mean"
    if isinstance(module, nn.EmbeddingBag) and module.padding_idx is not None:
        return "padding_idx is not supported"
    if isinstance(module, _TRANSPOSED) and module.groups != 1:
        return "transposed convolutions are served with groups=1 only"
    if tuple(tensor.axes) != _expected_axes(module):
        return (f"out, in, kernel... are dimensions {list(tensor.axes)} in the archive, expected "
                f"{list(_expected_axes(module))}: quantize with the setting layout")
    return ""


def _require_shape(tensor: pqw.Tensor, module: nn.Module) -> None:
    if tuple(tensor.shape) != tuple(module.weight.shape):
        raise RuntimeError(f"{tensor.file.path}: tensor '{tensor.name}' has shape "
                           f"{list(tensor.shape)}; the model has {list(module.weight.shape)}")


def _weight_of(name: str) -> str:
    """The name of the weight of a module."""
    return f"{name}.weight" if name else "weight"


class _Swap(typing.NamedTuple):
    """A layer and the served one that takes its place."""

    parent: nn.Module
    attribute: str
    old: nn.Module
    new: nn.Module


def _served_layers(
    model: nn.Module, tensors: dict[str, pqw.Tensor], options: dict[str, Any]
) -> tuple[list[Layer], list[_Swap], set[str]]:
    """Makes what can be served. Returns Layers, swaps, and the names of the weights served."""
    layers: list[Layer] = []
    swaps: list[_Swap] = []
    served: dict[int, nn.Module] = {}
    names: set[str] = set()
    for name, module, parent, attribute in modules_of(model):
        weight_name = _weight_of(name)
        if id(module) not in served:
            tensor = tensors.get(weight_name)
            is_layer = type(module) in _SERVED and module._parameters.get("weight") is not None
            if tensor is None or not is_layer:
                continue
            _require_shape(tensor, module)
            reason = _obstacle(module, parent, tensor)
            layers.append(Layer(name, type(module).__name__, tensor.name, tensor.codec,
                                "dense" if reason else "served", reason))
            if reason:
                continue
            make = _SERVED[type(module)]
            served[id(module)] = make(module, tensor,
                                      **({} if issubclass(make, ServedEmbedding) else options))
        swaps.append(_Swap(parent, attribute, module, served[id(module)]))
        names.add(weight_name)
    return layers, swaps, names


def _other_compressed(
    model: nn.Module, tensors: dict[str, pqw.Tensor], listed: set[str]
) -> Iterator[Layer]:
    """Compressed tensors that stay dense in other modules, such as those of nn.LSTM."""
    parents = {id(module): parent for _, module, parent, _ in modules_of(model)}
    for places in parameters_of(model):
        for place in places:
            tensor = tensors.get(place.name)
            if tensor is not None and tensor.codec != "plain" and place.name not in listed:
                yield Layer(place.module_name, type(place.module).__name__, tensor.name,
                            tensor.codec, "dense",
                            _obstacle(place.module, parents[id(place.module)], tensor))


def _turn_off_fused_path(model: nn.Module) -> None:
    """nn.TransformerEncoderLayer must not reach for the weights of its served layers."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0


def serve(
    model: nn.Module,
    path: PathLike | pqw.Archive,
    precision: str = "high",
    memory: str = "codes",
    strict: bool = True,
) -> Report:
    """Makes layers of a model multiply from the codes of an archive, in place.

    nn.Linear, Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, Embedding and EmbeddingBag
    are replaced if the archive has their weights compressed; their dense weights are freed. All
    other parameters and buffers get their decoded values. Biases stay parameters, so that state
    dicts have everything but the weights that are served. Tied layers are served from one tensor.

    The model is in evaluation mode afterwards, and its parameters need no gradients.

    path: an archive, or an open pqw.Archive.
    precision, memory: as for pqw.Linear (docs/serving.md).
    strict: as for load_into.

    Returns a Report; print it to see which layers are served, and why others are not.
    Raises RuntimeError if names or shapes do not fit; the model has its own layers then.
    """
    with opened(path) as archive:
        tensors = state_of(model, archive)
        layers, swaps, names = _served_layers(model, tensors,
                                              {"precision": precision, "memory": memory})
        rest = {name: tensor for name, tensor in tensors.items() if name not in names}
        for swap in swaps:
            setattr(swap.parent, swap.attribute, swap.new)
        try:
            layers += _other_compressed(model, tensors, {_weight_of(layer.name) for layer in layers})
            fill(model, rest, archive.path, strict)
        except BaseException:
            for swap in swaps:
                setattr(swap.parent, swap.attribute, swap.old)
            raise
    _turn_off_fused_path(model)
    model.eval().requires_grad_(False)
    return Report(layers)
