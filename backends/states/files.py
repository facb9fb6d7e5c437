"""The canonical form in a safetensors file.

The tensors are called ``m/NAME``, ``v/NAME``, ``v_max/NAME`` and ``p_rest/NAME``.  A moment in 8 bits is
stored as its codes, with the scales in ``m_scale/NAME`` and so on.  A complex tensor is stored as its real
and its imaginary part, along a last axis of length 2.  The metadata has two keys.  ``adamcore`` is JSON with
clocks, hyperparameters, axes, dialect, and the edition of the specification.  ``sha256`` is the hash of that
text and of the tensors.
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
from adamcore.backends.io.dtypes import numpy_dtype
from adamcore.backends.io.safetensors import CODES, Tensor, as_tensor, decode, digest, encode
from adamcore.backends.states.named import EDITION, Array, Coded, Moments, NamedState
from adamcore.backends.states.quantized import numbers_of
from adamcore.config import STORAGE
from adamcore.errors import AdamcoreError, CheckpointError

SCHEMA = "adamcore-state/1"
PARTS = ("m", "v", "v_max", "p_rest")
WRITTEN = {"adamcore": (".safetensors",), "torch": (".pt", ".pth")}
"""The ends of names that say what kind of file :func:`write` makes of a format."""
OTHERS = (".safetensors", ".npz")  #: the same for all other formats
TELLING = (".safetensors", ".npz", ".pt", ".pth", ".msgpack")  #: ends of names that say a kind of file


def save(state: NamedState, path: str | os.PathLike[str]) -> None:
    """Write a state to a file, whole or not at all.

    Raises:
        CheckpointError: the format lacks a dtype, the learning rate is a function, or the file cannot be
            written, or its name says another kind of file.

    Example:
        >>> import tempfile
        >>> state = NamedState(Adam(), {"w": Moments(3, np.zeros(2), np.ones(2))})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(state, f"{folder}/state")
        ...     load(f"{folder}/state").leaves["w"].t
        3
    """
    check_name(path, "adamcore")
    write_file(path, encode_state(state))


def check_name(path: str | os.PathLike[str], kind: str) -> None:
    """Raise :class:`CheckpointError` if a file's name says another kind of file than is written.

    A name that says none is taken.
    """
    end, ends = Path(path).suffix.lower(), WRITTEN.get(kind, OTHERS)
    if end in TELLING and end not in ends:
        raise CheckpointError(
            f"{path}: the format {kind} is not written as {end}: expected a name in {' or '.join(ends)}, or "
            "another format"
        )


def load(path: str | os.PathLike[str]) -> NamedState:
    """Return the state in a file that :func:`save` wrote; see there for an example.

    Raises:
        CheckpointError: the file cannot be read, is damaged or cut, or is no state of this project.
    """
    where = str(path)
    return decode_state(*decode(read_bytes(path), where, CheckpointError), where)


def encode_state(state: NamedState) -> list[bytes | memoryview]:
    """Return the content of a state's file, in pieces."""
    tensors: dict[str, Array] = {}
    for name, leaf in state.leaves.items():
        for part in PARTS:
            x = getattr(leaf, part)
            if x is not None:
                tensors[f"{part}/{name}"] = leaf.coded[part].codes if part in leaf.coded else x
        for part, coded in leaf.coded.items():
            tensors[f"{part}_scale/{name}"] = coded.scales
    if callable(state.adam.lr):
        raise CheckpointError(
            "lr is a schedule: expected a number in a file; save the state with a number as lr"
        )
    about = {
        "schema": SCHEMA,
        "edition": EDITION,
        "dialect": state.dialect,
        "adam": encode_adam(state.adam),
        "special": {name: {k: to_json(x) for k, x in each.items()} for name, each in state.special.items()},
        "clock": {name: leaf.t for name, leaf in state.leaves.items()},
        "mu_product": {n: x.mu_product.hex() for n, x in state.leaves.items() if x.mu_product is not None},
        "complex": sorted(name for name, x in tensors.items() if np.iscomplexobj(x)),
    }
    raw, text = to_file_arrays({name: real_view(x) for name, x in tensors.items()}), json.dumps(about)
    return encode(raw, {"adamcore": text, "sha256": digest(raw, text)})


def decode_state(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], where: str) -> NamedState:
    """Return the state in a file's arrays and metadata; ``where`` names the file in messages."""
    about = check_metadata(tensors, metadata, where)
    found = from_file_arrays(tensors, where)
    try:
        leaves = {}
        for name, t in about["clock"].items():
            parts = {part: found.get(f"{part}/{name}") for part in PARTS}
            own = about["adam"] | about["special"].get(name, {})
            coded = {
                part: Coded(str(own[f"{part[0]}_storage"]), x, scales)
                for part, x in parts.items()
                if x is not None and (scales := found.get(f"{part}_scale/{name}")) is not None
            }
            parts |= {part: numbers_of(x, part, f"{part} of {name}") for part, x in coded.items()}
            mu = about["mu_product"].get(name)
            if parts["m"] is None or parts["v"] is None:
                raise CheckpointError(f"{where}: {name} has a clock and no moments")
            arrays: dict[str, Any] = {
                part: complex_view(x) if f"{part}/{name}" in about["complex"] else x
                for part, x in parts.items()
                if x is not None
            }
            product = None if mu is None else float.fromhex(mu)
            leaves[name] = Moments(t, mu_product=product, coded=coded, **arrays)
        special = {
            n: {k: float.fromhex(x) if k in NUMBERS else x for k, x in each.items()}
            for n, each in about["special"].items()
        }
        return NamedState(decode_adam(about["adam"]), leaves, special, about["dialect"])
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{where}: its metadata lacks something or has it in another form: {error!r}"
        ) from error
    except AdamcoreError as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{where}: {error}") from error


def stated(adam: Adam) -> list[str]:
    """Return the fields that a file states: those of a storage that is not plain, and all others."""
    plain = {name for name in STORAGE if getattr(adam, name) == "plain"}
    plain |= {"seed"} if "p_storage" in plain else set()
    return [f.name for f in fields(Adam) if f.name not in plain]


def encode_adam(adam: Adam) -> dict[str, Any]:
    """Return an Adam for JSON.

    >>> decode_adam(encode_adam(Adam(lr=0.1))) == Adam(lr=0.1)
    True
    """
    return {name: to_json(getattr(adam, name)) for name in stated(adam)}


def decode_adam(fields: Mapping[str, Any]) -> Adam:
    """Return the Adam that :func:`encode_adam` has encoded."""
    found: dict[str, Any] = {k: float.fromhex(x) if k in NUMBERS else x for k, x in fields.items()}
    return Adam(**found)


NUMBERS = ("lr", "b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay", "lr_max")


def to_json(value: Any) -> Any:
    """Return a hyperparameter for JSON: a float as hexadecimal text, which is exact."""
    return value.hex() if isinstance(value, float) else value


def real_view(x: Array) -> Array:
    """Return a complex array as its two parts along a new last axis, and any other as it is."""
    x = np.ascontiguousarray(x).reshape(x.shape)
    return np.stack([x.real, x.imag], axis=-1) if np.iscomplexobj(x) else x


def complex_view(x: Array) -> Array:
    """Return the complex array whose two parts are along the last axis."""
    return np.ascontiguousarray(x).view(f"complex{x.dtype.itemsize * 16}")[..., 0]


def to_file_arrays(arrays: Mapping[str, Array]) -> dict[str, Tensor]:
    """Return arrays as they lie in a file, those of the widest dtype first, so that all are aligned.

    Raises:
        CheckpointError: the format lacks a dtype.
    """
    for name, x in arrays.items():
        if x.dtype.name not in CODES:
            raise CheckpointError(f"{name} has dtype {x.dtype}: expected one of {', '.join(CODES)}")
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    return {name: as_tensor(arrays[name]) for name in order}


def from_file_arrays(tensors: Mapping[str, Tensor], where: str) -> dict[str, Array]:
    """Return the arrays of a file in NumPy."""
    return {
        name: np.frombuffer(data, numpy_dtype(dtype, where)).reshape(shape).copy()
        for name, (dtype, shape, data) in tensors.items()
    }


def check_metadata(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], where: str) -> dict[str, Any]:
    """Return the metadata of this project.

    Raises:
        CheckpointError: the file has none, is damaged, or is of another schema.
    """
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
    """Return a file's content.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error


def write_file(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview]) -> None:
    """Write a file, whole or not at all.

    Raises:
        CheckpointError: it cannot be written.
    """
    try:
        write_whole(path, parts)
    except OSError as error:
        raise CheckpointError(f"{path} can't be written: {error.strerror or error}") from error
