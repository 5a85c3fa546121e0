"""Layers whose parameters are the codebooks of an archive; their codes stay as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

import pqw
from pqw import _native
from pqw.archive import PathLike
from pqw.torch.load import fill, opened, state_of
from pqw.torch.places import Place, parameters_of, tensor_of
from pqw.torch.report import Layer, Report

GRADIENTS = ("mean", "sum")


def _straight_through(values: torch.Tensor, stored: torch.Tensor) -> torch.Tensor:
    """`stored` with the gradient of `values`."""
    return stored.detach() + (values - values.detach())


def _nearest_log8(scales: torch.Tensor) -> torch.Tensor:
    """The nearest scales that a byte stands for (RowScales::kLog8 of pqw/codecs/pq.h)."""
    sixteenths = (16 * scales.float().clamp(min=1e-9).log2()).round().clamp(-238, 16)
    return torch.where(scales < 2 ** (-238.5 / 16), torch.zeros_like(sixteenths),
                       torch.exp2(sixteenths / 16))


def _half(values: torch.Tensor) -> torch.Tensor:
    return values.half().float()


_ROUNDED = {"float32": lambda values: values, "float16": _half, "log8": _nearest_log8}


class PqWeight(nn.Module):
    """A weight that is computed from codebooks and codes, as an archive stores them.

    It is a parametrization (torch.nn.utils.parametrize) of the weight of a layer, which is then
    computed whenever the layer uses it. Parameters:

        codebooks   float32 [additive, groups, centroids, block_size]
        row_scales  float32 [rows]; None if the archive has none

    and the buffer `codes`, int32 [additive, rows, positions]: indices of the codebooks in a row.
    Values are rounded as the archive stores them, with the gradient passing straight through, so
    that the model computes with what save writes. The result has the type of the layer, for example
    bfloat16; parameters stay float32.

    The gradient of a centroid is the mean, or the sum, of the gradients of the blocks that it stands
    for (Stock et al., "And the Bit Goes Down", 2020).
    """

    def __init__(self, tensor: pqw.Tensor, gradient: str = "mean") -> None:
        super().__init__()
        if gradient not in GRADIENTS:
            raise ValueError(f'gradient is {gradient!r}; expected "mean" or "sum"')
        values = _native.pq_values(tensor)
        self.archive, self.names = tensor.file.path, [tensor.name]
        self.folder: Any = None  # holds the archive while the model needs it
        self.gradient = gradient
        self._shape, self._permutation = torch.Size(values.shape), values.permutation
        self._rounding = (values.codebook_type, values.row_scale_type)
        self.codebooks = nn.Parameter(torch.from_numpy(values.codebooks))
        self.row_scales = None
        if values.row_scales is not None:
            self.row_scales = nn.Parameter(torch.from_numpy(values.row_scales))
        self.register_buffer("codes", torch.from_numpy(values.indices))
        self.register_buffer("like", torch.empty(0), persistent=False)  # has the type of the result
        self._is_registered = False

    def forward(self) -> torch.Tensor:
        """The weight in the order of dimensions of the archive."""
        codebooks = self.codebooks
        rounded = _ROUNDED[self._rounding[0]](codebooks)
        flat = _straight_through(codebooks, rounded).reshape(-1, codebooks.shape[-1])
        weight, *others = (F.embedding(codes, flat, scale_grad_by_freq=self.gradient == "mean")
                           for codes in self.codes)
        for blocks in others:
            weight = weight + blocks
        rows = self._shape[0]
        cols = self._shape[1:].numel()
        weight = weight.reshape(rows, -1)[:, :cols]
        if self.row_scales is not None:
            rounded = _ROUNDED[self._rounding[1]](self.row_scales)
            weight = weight * _straight_through(self.row_scales, rounded)[:, None]
        return weight.reshape(self._shape).permute(self._permutation).to(self.like.dtype)

    def right_inverse(self, value: torch.Tensor) -> tuple[()]:
        """Called once, by register_parametrization: nothing of the dense weight is kept."""
        if self._is_registered:
            raise RuntimeError(f"{self.names[0]} is computed from codebooks: change these")
        self._is_registered = True
        return ()

    def extra_repr(self) -> str:
        additive, groups, centroids, block_size = self.codebooks.shape
        return (f"{self.names[0]}: block_size={block_size}, centroids={centroids}, "
                f"groups={groups}, additive={additive}, gradient={self.gradient}")


def put(weight: PqWeight, places: list[Place]) -> None:
    """Makes a PqWeight the weight of these tied places, with their device and type."""
    old = places[0].tensor
    weight.to(old.device).like = torch.empty(0, dtype=old.dtype, device=old.device)
    for place in {(id(place.module), place.attribute): place for place in places}.values():
        weight._is_registered = False
        parametrize.register_parametrization(place.module, place.attribute, weight, unsafe=True)


def obstacle(place: Place) -> str:
    """Why this parameter cannot be computed from codebooks; "" if it can."""
    if isinstance(place.module, nn.RNNBase):
        return f"{type(place.module).__name__} keeps a list of its weights"
    if isinstance(place.module, PqWeight):
        return "it is a part of a weight with codebooks"
    if getattr(place.module, "sparse", False):
        return "codebooks have no sparse gradients: make the embedding with sparse=False"
    return ""


def _obstacle(place: Place, tensor: pqw.Tensor) -> str:
    """Why the codebooks of the tensor cannot be trained; "" if they can."""
    if tensor.codec != "pq":
        return f'codec {tensor.codec} has no codebooks: compress with codec="pq"'
    return obstacle(place)


def trainable(
    model: nn.Module,
    path: PathLike | pqw.Archive,
    gradient: str = "mean",
    strict: bool = True,
) -> Report:
    """Makes the weights of a model codebooks that can be trained, in place. Codes stay.

    Every tensor of codec pq becomes a PqWeight: in linear layers, convolutions, embeddings, attention
    or any other module. Tied weights share one. All other parameters and buffers get the decoded
    values of the archive; those that are not compressed (biases, normalisation) are trained as they
    are, compressed ones of other codecs are frozen.

    Make the optimizer after this call, which replaces parameters of the model.

    gradient: "mean" or "sum" of the gradients of the blocks of a centroid. With the mean, good
        learning rates are about as large as for dense weights.
    strict: as for load_into.

    Returns a Report. Raises RuntimeError if names or shapes do not fit, ValueError if no tensor has
    codebooks.
    """
    with opened(path) as archive:
        fill(model, state_of(model, archive), archive.path, strict)
        layers = []
        for places in parameters_of(model):
            tensor = tensor_of(archive, places)
            if tensor is None or tensor.codec == "plain":
                continue
            reason = next(filter(None, (_obstacle(place, tensor) for place in places)), "")
            for place in places:
                layers.append(Layer(place.module_name, type(place.module).__name__, tensor.name,
                                    tensor.codec, "frozen" if reason else "trained", reason))
            if reason:
                places[0].tensor.requires_grad_(False)
                continue
            weight = PqWeight(tensor, gradient)
            weight.names = [place.name for place in places if place.name in archive]
            put(weight, places)
        if not any(layer.action == "trained" for layer in layers):
            raise ValueError(f"{archive.path}: no tensor of the model has codec pq, which has "
                             'codebooks to train: compress with codec="pq"')
    return Report(layers)
