"""Open archives and weight files as read-only mappings of names to tensors."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Union

from pqw import _native

PathLike = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


class Archive(Mapping[str, _native.Tensor]):
    """A read-only mapping of names to tensors, in the order of the file.

    Tensors and layers can be used by several threads. Layers do not need the archive after they were
    made. Pickles hold the path of the file.
    """

    def __init__(self, path: PathLike, *, trusted: bool = False) -> None:
        self._file = _native.File(path, trusted)
        self._tensors = {tensor.name: tensor for tensor in self._file.tensors()}

    def __getitem__(self, name: str) -> _native.Tensor:
        try:
            return self._tensors[name]
        except KeyError:
            raise KeyError(f"{self.path}: no tensor is named {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    @property
    def path(self) -> str:
        """The absolute path of the file."""
        return self._file.path

    @property
    def metadata(self) -> dict[str, str]:
        """The free-form text of the file: the `__metadata__` of safetensors."""
        return self._file.metadata

    @property
    def closed(self) -> bool:
        """True after close()."""
        return self._file.closed

    def close(self) -> None:
        """Closes the file. Its tensors cannot be decoded any more; layers go on working."""
        self._file.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<pqw.Archive {self.path!r}, {len(self)} tensors>"

    def __reduce__(self) -> tuple[object, ...]:
        return _open_again, (self.path, self._file.trusted)


def open(path: PathLike, *, trusted: bool = False) -> Archive:
    """Opens an archive or a weight file (safetensors, ONNX, .npz, ...) as a mapping of tensors.

    trusted: parse HDF5 in this process instead of a sandbox; only for files whose origin you know.
    Raises FileNotFoundError, FormatError, or another OSError.
    """
    return Archive(path, trusted=trusted)


def _open_again(path: str, trusted: bool) -> Archive:
    return Archive(path, trusted=trusted)
