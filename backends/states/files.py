"""The canonical state on file: safetensors, with JSON metadata and a hash; written whole, then renamed.

Tensors are called ``m/NAME``, ``v/NAME`` and ``v_max/NAME``; a complex one is its real and imaginary
part along a last axis of 2.  The metadata has one key, ``adamcore``: clocks, hyperparameters, axes,
dialect, edition of the specification, and the SHA-256 of all of it with the tensors.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.states.canonical import EDITION, Array, Moments, NamedState
from adamcore.errors import AdamcoreError, BackendError, CheckpointError

SCHEMA = "adamcore-state/1"
PARTS = ("m", "v", "v_max")
DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
          "I32": "int32", "U64": "uint64", "U32": "uint32", "U8": "uint8", "BOOL": "bool"}  # fmt: skip
CODES = {name: code for code, name in DTYPES.items()}


def save(state: NamedState, path: str | os.PathLike[str]) -> None:
    """Write a state to a file, which is there whole or not at all.

    Raises:
        CheckpointError: a dtype that the format does not have; a learning rate that is a function.
    """
    write_whole(path, to_bytes(state))


def load(path: str | os.PathLike[str]) -> NamedState:
    """Read what :func:`save` wrote.

    Raises:
        CheckpointError: the file is damaged, cut, or no state of this project: it says which.
    """
    data = read_bytes(path)
    return from_bytes(data, str(path))


def to_bytes(state: NamedState) -> bytes:
    """The file's content."""
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
    return pack({name: real_view(x) for name, x in tensors.items()}, about)


def from_bytes(data: bytes, where: str) -> NamedState:
    """The state in a file's content; ``where`` names it in messages."""
    tensors, metadata = unpack(data, where)
    about = checked(tensors, metadata, where)
    try:
        leaves = {}
        for name, t in about["clock"].items():
            parts = {part: tensors.get(f"{part}/{name}") for part in PARTS}
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


def pack(tensors: Mapping[str, Array], about: Mapping[str, Any]) -> bytes:
    """A safetensors file with our metadata, and the hash of all in it."""
    text = json.dumps(about)
    return safetensors(tensors, {"adamcore": text, "sha256": digest(tensors, text)})


def safetensors(tensors: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file: the length of a JSON header, the header, the bytes of the tensors."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    body, start = [], 0
    for name, x in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):  # aligned
        if x.dtype.name not in CODES:
            raise CheckpointError(f"{name} has dtype {x.dtype}: expected one of {', '.join(CODES)}")
        body.append(np.ascontiguousarray(x).tobytes())
        end = start + len(body[-1])
        header[name] = {"dtype": CODES[x.dtype.name], "shape": list(x.shape), "data_offsets": [start, end]}
        start = end
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    return b"".join([len(head).to_bytes(8, "little"), head, *body])


def digest(tensors: Mapping[str, Array], text: str) -> str:
    """The hash of tensors and metadata."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        x = tensors[name]
        sha.update(f"\0{name}\0{x.dtype.name}\0{list(x.shape)}\0".encode())
        sha.update(np.ascontiguousarray(x).tobytes())
    return sha.hexdigest()


def unpack(data: bytes, where: str) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors and metadata of any safetensors file.

    Raises:
        CheckpointError: it is none, or is cut.
    """
    if len(data) < 8:
        raise CheckpointError(
            f"{where} has {len(data)} bytes: expected a safetensors file; it is empty or cut"
        )
    length = int.from_bytes(data[:8], "little")
    if length > 100_000_000 or data[8:9] != b"{":
        raise CheckpointError(f"{where} is no safetensors file: it begins with {data[:8]!r}")
    if len(data) < 8 + length:
        raise CheckpointError(f"{where} is cut: {len(data)} bytes, and its header alone is {8 + length}")
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop("__metadata__", None) or {}  # MLX writes null
        body, tensors = memoryview(data)[8 + length :], {}
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
        if len(body) != end:
            kind = "cut" if len(body) < end else "damaged"
            raise CheckpointError(
                f"{where} is {kind}: {len(body)} bytes of tensors where its header says {end}"
            )
        for name, entry in header.items():
            start, stop = entry["data_offsets"]
            dtype = numpy_dtype(entry["dtype"], name, where)
            tensors[name] = np.frombuffer(body[start:stop], dtype=dtype).reshape(entry["shape"]).copy()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{where} is damaged: its header can't be read ({error})") from error
    return tensors, metadata


def numpy_dtype(code: str, name: str, where: str) -> Any:
    """The NumPy dtype of a safetensors one."""
    if code not in DTYPES:
        raise CheckpointError(f"{where}: {name} has dtype {code}: expected one of {', '.join(DTYPES)}")
    if code == "BF16":
        try:
            import ml_dtypes
        except ImportError as error:
            raise BackendError(f"{where} holds bfloat16: pip install ml_dtypes to read it") from error
        return ml_dtypes.bfloat16
    return np.dtype(DTYPES[code])


def checked(tensors: Mapping[str, Array], metadata: Mapping[str, str], where: str) -> dict[str, Any]:
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


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write beside the destination, then rename: it is never half there, and untouched by a failure.

    Raises:
        CheckpointError: it can't be written.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise CheckpointError(f"{path} can't be written: {error.strerror or error}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except OSError as error:
        raise CheckpointError(f"{path} can't be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
