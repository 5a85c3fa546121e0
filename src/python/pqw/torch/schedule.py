"""Quantizes a model layer by layer, with training in between."""

from __future__ import annotations

import fnmatch
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

import pqw
from pqw.torch.compress import compress
from pqw.torch.places import Place, parameters_of
from pqw.torch.trainable import PqWeight, obstacle, put


class _Folder(tempfile.TemporaryDirectory):  # type: ignore[type-arg]
    """Holds the codes of a step. Copies of a model share it."""

    def __deepcopy__(self, memo: object) -> _Folder:
        return self


def _groups(
    model: nn.Module, layers: Sequence[str | Sequence[str]] | None
) -> list[list[list[Place]]]:
    """The tied places of the weights of each group. No weight is in two groups."""
    weights = [tied for tied in parameters_of(model)
               if tied[0].tensor.dim() >= 2 and not any(map(obstacle, tied))]
    if layers is None:
        return [[tied] for tied in weights]
    groups: list[list[list[Place]]] = []
    for group in layers:
        patterns = [group] if isinstance(group, str) else group
        found = [tied for tied in weights
                 if any(fnmatch.fnmatchcase(name, pattern) for place in tied
                        for name in (place.name, place.module_name) for pattern in patterns)]
        if not found:
            raise ValueError(f"no weight that is not yet in a group, and that can be quantized, is "
                             f"named {group!r}")
        weights = [tied for tied in weights if tied not in found]
        groups.append(found)
    return groups


def layer_by_layer(
    model: nn.Module,
    layers: Sequence[str | Sequence[str]] | None = None,
    gradient: str = "mean",
    **settings: Any,
) -> Iterator[list[str]]:
    """Quantizes one layer after the other; train the model in the body of the loop.

        for names in pqw.torch.layer_by_layer(model, ["conv*", "fc1", "fc2"], block_size=8):
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
            ...                             # train: dense weights, and codebooks so far
        pqw.torch.save(model, "model.h5")

    In each step the weights of the next group are quantized as they are then. Their codes stay, their
    codebooks are trained from then on, together with the layers that are still dense (Stock et al.,
    "And the Bit Goes Down", 2020; Fan et al., "Training with Quantization Noise", 2021).

    layers: groups in this order. Each one is the name of a layer or weight, or a pattern such as
        "conv*", or a list of these; the weights of earlier groups are left out. None: each weight of
        rank 2 or more is a group, in the order of the model. Weights of nn.LSTM and other recurrent
        modules stay dense.
    gradient: as for trainable.
    settings: those of pqw.compress for codec pq: block_size=8, centroids=256, ...

    Yields the names of the weights of the group. Make the optimizer anew in each step.
    """
    for group in _groups(model, layers):
        folder = _Folder(prefix="pqw-")
        path = os.path.join(folder.name, "step.h5")
        compress({place.name: place.tensor for tied in group for place in tied}, path,
                 codec="pq", **settings)
        with pqw.open(path) as archive:
            for tied in group:
                tensor = archive[tied[0].name]
                if tensor.codec != "pq":
                    continue  # it would not have been smaller
                weight = PqWeight(tensor, gradient)
                weight.names, weight.folder = [place.name for place in tied], folder
                put(weight, tied)
        yield [place.name for tied in group for place in tied]
