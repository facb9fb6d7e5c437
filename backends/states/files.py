"""The canonical state on file: safetensors, with JSON metadata and a hash; written whole, then renamed.

Tensors are called ``m/NAME``, ``v/NAME`` and ``v_max/NAME``; a complex one is its real and imaginary
part along a last axis of 2.  The metadata has two keys: ``adamcore``, with clocks, hyperparameters,
axes, dialect and edition of the specification, and ``sha256``, the hash of it and of the tensors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.io.atomic import write_whole
from adamcore.backends.io.safetensors import CODES, Tensor, as_tensor, decode, digest, encode
from adamcore.backends.states.named import EDITION, Array, Moments, NamedState
from adamcore.errors import AdamcoreError, BackendError, CheckpointError

SCHEMA = "adamcore-state/1"
PARTS = ("m", "v", "v_max")


def save(state: NamedState, path: str | os.PathLike[str]) -> None:
    """Write a state to a file, which is there whole or not at all.

    Raises:
        CheckpointError: a dtype that the format does not have; a learning rate that is a function.
    """
    write_file(path, encoded(state))


def load(path: str | os.PathLike[str]) -> NamedState:
    """Read what :func:`save` wrote.

    Raises:
        CheckpointError: the file is damaged, cut, or no state of this project: it says which.
    """
    where = str(path)
    return state_in(*decode(read_bytes(path), where, CheckpointError), where)


def encoded(state: NamedState) -> list[bytes | memoryview]:
    """The file's content, in pieces."""
    tensors: dict[str, Array] = {}
    for name, leaf in state.leaves.items():
        for part in PARTS:
            x = getattr(leaf, part)
            if x is not None:
                tensors[f"{part}/{name}"] = x
    if callable(state.adam.lr):
        raise CheckpointError(
            "lr is a schedule: expected a number in a file; save the state with a number as lr"
        )
    about = {
        "schema": SCHEMA,
        "edition": EDITION,
        "dialect": state.dialect,
        "adam": {f.name: plain(getattr(state.adam, f.name)) for f in fields(Adam)},
        "special": {name: {k: plain(x) for k, x in each.items()} for name, each in state.special.items()},
        "clock": {name: leaf.t for name, leaf in state.leaves.items()},
        "mu_product": {n: x.mu_product.hex() for n, x in state.leaves.items() if x.mu_product is not None},
        "complex": sorted(name for name, x in tensors.items() if np.iscomplexobj(x)),
    }
    raw, text = on_file({name: real_view(x) for name, x in tensors.items()}), json.dumps(about)
    return encode(raw, {"adamcore": text, "sha256": digest(raw, text)})


def state_in(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], where: str) -> NamedState:
    """The state in a file's arrays and metadata; ``where`` names the file in messages."""
    about = checked(tensors, metadata, where)
    found = in_numpy(tensors, where)
    try:
        leaves = {}
        for name, t in about["clock"].items():
            parts = {part: found.get(f"{part}/{name}") for part in PARTS}
            mu = about["mu_product"].get(name)
            if parts["m"] is None or parts["v"] is None:
                raise CheckpointError(f"{where}: {name} has a clock and no moments")
            arrays: dict[str, Any] = {
                part: complex_view(x) if f"{part}/{name}" in about["complex"] else x
                for part, x in parts.items()
                if x is not None
            }
            leaves[name] = Moments(t, mu_product=None if mu is None else float.fromhex(mu), **arrays)
        adam: dict[str, Any] = {k: float.fromhex(x) if k in NUMBERS else x for k, x in about["adam"].items()}
        special = {n: {k: float.fromhex(x) if k in NUMBERS else x for k, x in each.items()}
                   for n, each in about["special"].items()}  # fmt: skip
        return NamedState(Adam(**adam), leaves, special, about["dialect"])
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{where}: its metadata lacks something or has it in another form: {error!r}"
        ) from error
    except AdamcoreError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{where}: {error}") from error


NUMBERS = ("lr", "b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay")


def plain(value: Any) -> Any:
    """A hyperparameter for JSON: a number in hexadecimal, exactly."""
    return value.hex() if isinstance(value, float) else value


def real_view(x: Array) -> Array:
    """A complex array as its parts along a last axis."""
    x = np.ascontiguousarray(x).reshape(x.shape)
    return np.stack([x.real, x.imag], axis=-1) if np.iscomplexobj(x) else x


def complex_view(x: Array) -> Array:
    """The complex array whose parts stand along the last axis."""
    return np.ascontiguousarray(x).view(f"complex{x.dtype.itemsize * 16}")[..., 0]


def on_file(arrays: Mapping[str, Array]) -> dict[str, Tensor]:
    """Arrays as they lie in a file, the widest first, so that all are aligned.

    Raises:
        CheckpointError: a dtype that the format does not have.
    """
    for name, x in arrays.items():
        if x.dtype.name not in CODES:
            raise CheckpointError(f"{name} has dtype {x.dtype}: expected one of {', '.join(CODES)}")
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    return {name: as_tensor(arrays[name]) for name in order}


def in_numpy(tensors: Mapping[str, Tensor], where: str) -> dict[str, Array]:
    """The arrays of a file."""
    return {
        name: np.frombuffer(data, numpy_dtype(dtype, where)).reshape(shape).copy()
        for name, (dtype, shape, data) in tensors.items()
    }


def numpy_dtype(name: str, where: str) -> Any:
    """The dtype of that name, as it lies in a file."""
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise BackendError(f"{where} holds bfloat16: pip install ml_dtypes to read it") from error
        return ml_dtypes.bfloat16
    return np.dtype(name).newbyteorder("<")


def checked(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], where: str) -> dict[str, Any]:
    """Our metadata, if the file is ours and whole."""
    if "adamcore" not in metadata:
        raise CheckpointError(
            f"{where} is a safetensors file without this project's metadata (tensors: "
            f"{', '.join(list(tensors)[:3])}"
            "...): expected one that `save` wrote; to read another's, say whose (--from mlx, paddle, tf1, "
            "...)"
        )
    if digest(tensors, metadata["adamcore"]) != metadata.get("sha256"):
        raise CheckpointError(f"{where} is damaged: its content does not have the hash that it names")
    about: dict[str, Any] = json.loads(metadata["adamcore"])
    if about.get("schema") != SCHEMA:
        raise CheckpointError(
            f"{where} is of schema {about.get('schema')!r}: expected {SCHEMA!r}; update adamcore"
        )
    return about


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """A file's content.

    Raises:
        CheckpointError: it can't be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error


def write_file(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write a file, whole or not at all.

    Raises:
        CheckpointError: it can't be written.
    """
    try:
        write_whole(path, parts)
    except OSError as error:
        raise CheckpointError(f"{path} can't be written: {error.strerror or error}") from error
