"""What became of the layers of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Layer:
    """A tensor of the archive and the layer that it belongs to."""

    name: str    # of the module, "" for the model itself
    type: str    # class of the module: "Linear"
    tensor: str  # in the archive
    codec: str
    action: str  # "served", "trained", "frozen" or "dense"
    reason: str = ""  # why not served or trained


class Report:
    """The layers whose weights are compressed or could be, in the order of the model.

    `layers` is a list of Layer. print(report) shows them as a table.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self.layers = list(layers)

    def of(self, action: str) -> list[Layer]:
        """The layers with that action: "served", "trained", "frozen" or "dense"."""
        return [layer for layer in self.layers if layer.action == action]

    def __str__(self) -> str:
        rows = [("layer", "type", "codec", "", "")]
        rows += [(layer.name, layer.type, layer.codec, layer.action, layer.reason)
                 for layer in self.layers]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join("  ".join([*map(str.ljust, row, widths), row[4]]).rstrip()
                         for row in rows)

    def __repr__(self) -> str:
        return str(self)
