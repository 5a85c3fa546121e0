"""Compresses files, or dicts of arrays, into archives."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Union

import numpy as np
from numpy.typing import ArrayLike

from pqw import _native
from pqw.archive import PathLike

Setting = Union[str, int, float, bool, "list[int]", "tuple[int, ...]", "Mapping[str, Setting]"]

_SAFETENSORS = {
    "float16": "F16", "float32": "F32", "float64": "F64", "bool": "BOOL",
    "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64",
}  # fmt: skip


def compress(
    source: PathLike | Mapping[str, ArrayLike],
    target: PathLike,
    *,
    recipe: PathLike | Mapping[str, Any] | None = None,
    include: str | Iterable[str] = (),
    exclude: str | Iterable[str] = (),
    target_size: int | str | None = None,
    target_bpw: float | None = None,
    target_ratio: float | None = None,
    target_error: float | None = None,
    metric: str = "relative",
    calibration: PathLike | None = None,
    output_recipe: PathLike | None = None,
    progress: Callable[[_native.Progress], object] | None = None,
    dtype: str | Mapping[str, str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    dry_run: bool = False,
    skip_unsupported: bool = False,
    trusted: bool = False,
    threads: int | None = None,
    **settings: Setting,
) -> _native.Report:
    """Compresses the tensors of `source` into the archive `target`.

    Without settings the preset "balanced" chooses, which keeps networks working: about 4.5 bits a
    weight. The result is that of the tool with the same settings, byte for byte.

    source: a path (a weight file or a folder of shards), or a dict of arrays by name.
    settings: those of `pqw quantize`, with "_" for "-": codec="pq", block_size="auto",
        centroids=256, quality="high", seed=1, ... (docs/options.md lists them). `for_` stands for
        the setting `for`, factors={"codec": "pq"} for settings of factors.
    recipe: a YAML file, or a dict with the same keys: {"defaults": {"block_size": 4}, "tensors":
        [{"pattern": "fc", "codec": "low_rank"}]}. The settings come on top of its defaults.
    include, exclude: a regular expression, or several; other tensors stay as they are.
    target_size, target_bpw, target_ratio, target_error: choose codecs for that size of the file
        (bytes, or text such as "4MB"), or for that error by `metric` ("relative" or "total").
    calibration: a file of `pqw calibrate`: keep the outputs of layers.
    output_recipe: a new file that gets the recipe that makes the archive again.
    progress: is called with a Progress. If it raises, as at Ctrl-C, the work ends and no output is
        left.
    dtype: what arrays of uint16 hold, for all ("bfloat16") or by name ({"fc.weight": "bfloat16"}).
    resume: continue an interrupted run. dry_run: report sizes and write nothing.
    threads: the number of threads; None: all that OpenMP has.

    Returns a Report. Raises ValueError for settings and weights that do not fit, FileExistsError if
    the target exists and `overwrite` is false, FormatError for a damaged source.
    """
    wanted = _wanted(
        {"size": target_size, "bpw": target_bpw, "ratio": target_ratio, "error": target_error},
        metric,
    )

    def run(path: PathLike) -> _native.Report:
        return _native.compress(
            path,
            target,
            settings=_flat(settings),
            include=_patterns(include),
            exclude=_patterns(exclude),
            recipe_file=None if isinstance(recipe, Mapping) else recipe,
            recipe_text=_recipe_text(recipe) if isinstance(recipe, Mapping) else "",
            wanted=wanted,
            calibration=calibration,
            output_recipe=output_recipe,
            progress=progress,
            overwrite=overwrite,
            resume=resume,
            dry_run=dry_run,
            skip_unsupported=skip_unsupported,
            trusted=trusted,
            threads=threads,
        )

    if not isinstance(source, Mapping):
        return run(os.fspath(source))
    if not source:
        raise ValueError("source has no arrays")
    with tempfile.TemporaryDirectory(prefix="pqw-") as folder:
        path = os.path.join(folder, "arrays.safetensors")
        _native.write_weights(path, _triples(source, dtype))
        return run(path)


def _patterns(patterns: str | Iterable[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _wanted(targets: dict[str, Any], metric: str) -> tuple[str, str, str] | None:
    given = [(kind, str(value), metric) for kind, value in targets.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"target_{given[0][0]} and target_{given[1][0]}: give one target")
    return given[0] if given else None


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Settings as pairs of text: {"factors": {"codec": "pq"}} is [("factors.codec", "pq")]."""
    pairs: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = prefix + key.rstrip("_")
        if isinstance(value, Mapping):
            pairs += _flat(value, name + ".")
        else:
            pairs.append((name, _setting_text(value)))
    return pairs


def _setting_text(value: Setting) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        return "x".join(map(str, value))
    return str(value)


def _recipe_text(recipe: Mapping[str, Any]) -> str:
    """JSON, which is YAML. `optional` stays a bool, other bools are settings."""

    def converted(value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return {str(name): converted(item, str(name)) for name, item in value.items()}
        if isinstance(value, (list, tuple)) and key in ("include", "exclude", "tensors"):
            return [converted(item) for item in value]
        if key == "optional" or isinstance(value, str):
            return value
        return _setting_text(value)

    return json.dumps(converted(recipe), ensure_ascii=False)


def _triples(
    arrays: Mapping[str, ArrayLike], dtype: str | Mapping[str, str] | None
) -> list[tuple[str, str, np.ndarray[Any, Any]]]:
    """Names, types of safetensors and arrays of native byte order."""
    triples = []
    for name in dtype if isinstance(dtype, Mapping) else ():
        if name not in arrays:
            raise ValueError(f"dtype names {name!r}, which is not an array of source")
    for name, values in arrays.items():
        if not isinstance(name, str):
            raise ValueError(f"array {name!r}: its name is not a str")
        if name.encode(errors="replace").decode() != name:
            raise ValueError(f"array {name!r}: its name is not valid Unicode")
        array = np.asarray(values)
        kind = array.dtype.name
        wanted = dtype.get(name) if isinstance(dtype, Mapping) else None
        if wanted not in (None, kind) and kind != "uint16":
            raise ValueError(f"array {name!r} has type {kind}, and dtype says {wanted}; expected "
                             "uint16, which holds the bits")
        if kind == "bfloat16":  # of ml_dtypes
            array = array.view(np.uint16)
        elif kind == "uint16" and dtype is not None:
            kind = dtype if isinstance(dtype, str) else dtype.get(name, kind)
        if kind == "bfloat16":
            triples.append((name, "BF16", array.astype("<u2", copy=False)))
        elif kind in _SAFETENSORS:
            native = array.astype(array.dtype.newbyteorder("<"), copy=False)
            triples.append((name, _SAFETENSORS[kind], native))
        else:
            known = ", ".join([*_SAFETENSORS, "bfloat16"])
            raise ValueError(f"array {name!r} has type {kind}; expected one of {known}")
    return triples
