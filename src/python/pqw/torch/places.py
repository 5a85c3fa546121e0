"""Where the tensors of a model are: modules, attributes, and the names that share one tensor."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping

from torch import nn

from pqw._native import Tensor


class Place(typing.NamedTuple):
    """A parameter or buffer of a module."""

    module_name: str  # "" for the model itself
    module: nn.Module
    attribute: str

    @property
    def name(self) -> str:
        """The key in the state dict."""
        return f"{self.module_name}.{self.attribute}" if self.module_name else self.attribute

    @property
    def tensor(self) -> typing.Any:
        """The parameter or buffer; of a parametrized module, what it computes."""
        return getattr(self.module, self.attribute)


def modules_of(model: nn.Module) -> Iterator[tuple[str, nn.Module, nn.Module | None, str]]:
    """(name, module, parent, attribute) of all modules in order; shared ones under every name."""
    def walk(
        name: str, module: nn.Module, parent: nn.Module | None, attribute: str
    ) -> Iterator[tuple[str, nn.Module, nn.Module | None, str]]:
        yield name, module, parent, attribute
        for child_name, child in module._modules.items():
            if child is not None:
                full = f"{name}.{child_name}" if name else child_name
                yield from walk(full, child, module, child_name)

    yield from walk("", model, None, "")


def parameters_of(model: nn.Module) -> list[list[Place]]:
    """The places of each parameter, as a list of lists: tied parameters have several places."""
    places: dict[int, list[Place]] = {}
    for name, module, _, _ in modules_of(model):
        for attribute, parameter in module._parameters.items():
            if parameter is not None:
                places.setdefault(id(parameter), []).append(Place(name, module, attribute))
    return list(places.values())


def tensor_of(archive: Mapping[str, Tensor], places: list[Place]) -> Tensor | None:
    """The tensor of the archive under the first of these names that it has; None if it has none."""
    return next((archive[place.name] for place in places if place.name in archive), None)
