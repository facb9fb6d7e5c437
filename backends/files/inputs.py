"""What a user gives: parameters and gradients as paths or trees of arrays, and numbers."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from adamcore.backends.files.arrays import LazyArray, Readable, readable
from adamcore.backends.files.formats import in_npy, in_safetensors, in_zarr
from adamcore.backends.files.stand_ins import BACKEND
from adamcore.backends.states.named import dotted, listed, unique
from adamcore.clock import known
from adamcore.errors import AdamcoreError, CheckpointError, HyperparameterError, MaskError
from adamcore.step import Clip
from adamcore.step.clipping import check_clip
from adamcore.step.rows import Rows

PATHS = (str, os.PathLike)


def named(
    value: Any,
    what: str,
    error: type[AdamcoreError],
    names: Sequence[str] | None = None,
    absent: Sequence[str] = (),
) -> OrderedDict[str, Any]:
    """Return the arrays that a user gives, by name, each as one that is read in ranges.

    Args:
        value: a path, or a tree of arrays.
        what: its name in messages.
        error: the class of the errors.
        names: the names that are expected, in their order, of which each may be None; None expects any.
        absent: names that are None.

    Raises:
        AdamcoreError: (of the class ``error``) something else than an array is there, or names are others.
    """
    if isinstance(value, PATHS):
        found: dict[str, Any] = dict(sorted(given(Path(value).absolute()).items()))
    else:
        found = by_name(value)
    found |= dict.fromkeys(absent)
    for name, x in found.items():
        if x is None and names is not None:
            continue
        found[name] = readable(x)
        if type(x) is Rows:
            raise error(
                f"{what} {name!r} is Rows: expected all of its rows, as files are stepped range by range"
            )
        if not name:
            raise error(f"{what} has an array without a name: expected a name for each, as {{'w': array}}")
        lazy = isinstance(found[name], LazyArray)
        if found[name] is None or (lazy and names is None):
            raise error(
                f"{what} {name!r} is {type(x).__name__}: expected an array of NumPy or zarr (a gradient may "
                "be one of Dask), or a path of such arrays; numpy.asarray makes one of others"
            )
    if names is None:
        if not found:
            raise error(f"{what} has no arrays: expected at least one")
        return OrderedDict(found)
    expected = "a gradient for each parameter; give None for an absent one, or its name in `absent`"
    return in_order(found, names, what, error, expected)


def by_name(tree: Any) -> dict[str, Any]:
    """Return the leaves of a tree by their dotted names."""
    leaves, _ = BACKEND.flatten(tree)
    return dict(zip(unique([dotted(path) for path in BACKEND.paths(tree)]), leaves, strict=True))


def in_order(
    found: Mapping[str, Any], names: Sequence[str], what: str, error: type[AdamcoreError], expected: str
) -> OrderedDict[str, Any]:
    """Return what is there under these names, in their order.

    Raises:
        AdamcoreError: (of the class ``error``) names are others; the message says what was ``expected``.
    """
    lacking, unknown = [n for n in names if n not in found], [n for n in found if n not in {*names}]
    if lacking or unknown:
        raise error(f"{what} lacks {listed(lacking)} and has {listed(unknown)} besides: expected {expected}")
    return OrderedDict((name, found[name]) for name in names)


def masks(present: Any, names: Sequence[str]) -> OrderedDict[str, bool | Readable]:
    """Return what a user says of who takes part in a step, by name: a boolean, or a mask read in ranges.

    Raises:
        MaskError: a leaf is neither a boolean nor an array of them, or names are others.
    """
    found = in_order(by_name(present), names, "present", MaskError, "a boolean or a mask for each parameter")
    return OrderedDict((name, mask(f"present {name!r}", x)) for name, x in found.items())


def mask(what: str, x: Any) -> bool | Readable:
    """Return a boolean, or a mask that is read in ranges."""
    if isinstance(x, bool | np.bool_):
        return bool(x)
    value = readable(x)
    if value is None or value.dtype != np.bool_ or isinstance(value, LazyArray):
        kind = type(x).__name__ if value is None else f"{type(x).__name__} of {value.dtype}"
        raise MaskError(f"{what} is {kind}: expected True, False, or an array of booleans of NumPy or zarr")
    return value if value.shape else bool(np.asarray(x)[()])


def given(path: Path) -> dict[str, Readable]:
    """Return the arrays in a file or folder of a user's, by their names.

    Args:
        path: a file of safetensors, the index of several, a group of zarr's, or a folder of files of NumPy's
            and safetensors, of which a file NAME.npy is the array NAME.

    Raises:
        CheckpointError: there is nothing of this kind, or it is damaged.
    """
    found: dict[str, Readable] = {}
    if not path.exists():
        raise CheckpointError(f"{path} is not there")
    if path.name.endswith(".index.json"):
        files = json.loads(path.read_bytes())["weight_map"].values()
        for name in sorted({*files}):
            found |= in_safetensors(path.parent / name)
    elif path.is_file():
        found |= in_safetensors(path)
    elif (path / "zarr.json").exists() or (path / ".zgroup").exists():
        found |= in_zarr(path)
    elif path.is_dir():
        for file in sorted(path.glob("*.safetensors")):
            found |= in_safetensors(file)
        for file in sorted(path.rglob("*.npy")):
            found[unquote(file.relative_to(path).as_posix().removesuffix(".npy"))] = in_npy(file)
    if not found:
        raise CheckpointError(
            f"{path} has no arrays: expected a file of safetensors, a folder of .npy files, or one of zarr"
        )
    return found


def clip_numbers(clip: Clip | None) -> list[float | None] | None:
    """Return the fields of a clip as floats; None if there is none.

    Raises:
        HyperparameterError: it is no clip of one way, or a field is no number >= 0.
    """
    if clip is None:
        return None
    check_clip(clip, BACKEND)
    return [number(f"Clip.{name}", x) for name, x in zip(Clip._fields, clip, strict=True)]


def number(name: str, value: Any) -> float | None:
    """Return a hyperparameter of a step as a float.

    Raises:
        HyperparameterError: it is neither None nor a number >= 0.
    """
    if value is None:
        return None
    if callable(value):
        raise HyperparameterError(f"{name} is a function: expected the number for this step")
    return known(name, value, BACKEND)
