"""States in the files of other libraries, read without unpickling anything."""

from __future__ import annotations

import io
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.checkpoints.folders import place_in
from adamcore.backends.checkpoints.optax_files import Path, is_msgpack, open_msgpack, open_orbax
from adamcore.backends.checkpoints.request import Request
from adamcore.backends.io.safetensors import decode, encode
from adamcore.backends.io.tensor_bundle import TensorBundle
from adamcore.backends.states.files import (
    check_name,
    decode_state,
    encode_state,
    from_file_arrays,
    read_bytes,
    to_file_arrays,
    write_file,
)
from adamcore.backends.states.keras_files import read_keras
from adamcore.backends.states.layouts import (
    LAYOUTS,
    detect_layout,
    dialect_is_needed,
    from_flat,
    named_by,
    to_flat,
)
from adamcore.backends.states.named import Array, NamedState
from adamcore.backends.states.raw_trees import places, raw_state
from adamcore.backends.states.tensorflow import from_tensorflow, is_by_object, prefix_of
from adamcore.backends.states.torch import to_torch
from adamcore.backends.states.torch_checkpoints import checkpoint_state, open_checkpoint
from adamcore.backends.states.torch_groups import group_of
from adamcore.backends.states.torch_names import own_names
from adamcore.errors import CheckpointError, ConversionError

BOTH = ("optax", "keras", "paddle", "mlx", "tinygrad")  #: layouts with the same names for Adam and for AdamW
FORMATS = ("adamcore", "torch", *LAYOUTS)


def read(
    path: str | os.PathLike[str],
    kind: str | None = None,
    *,
    names: Sequence[str] | None = None,
    by_position: bool = False,
    dialect: str | None = None,
    hyper: Mapping[str, Any] | None = None,
    t: int | Mapping[str, int] | None = None,
    needs_dialect: bool = False,
    key: str | None = None,
) -> NamedState:
    """Return the state in a file: .safetensors, .npz, .pt, Keras' .h5 and .keras, flax' .msgpack.

    Args:
        path: the file; or a folder of orbax, of a distributed checkpoint, or of DeepSpeed's; of a
            checkpoint of TensorFlow the prefix, the index or the folder.
        kind: one of :data:`FORMATS`; None: the file tells it.
        names: the parameters' names, if the file only numbers them (PyTorch without ``param_names``,
            Keras).
        by_position: if True, call the parameters "0", "1", and so on.
        dialect, hyper, t: what the file does not tell, as for :func:`from_flat` and :func:`from_torch`.
        needs_dialect: if True, and if the file does not tell Adam from AdamW, ``dialect`` has to be given;
            else it is the library's Adam.
        key: where the optimizer lies in a checkpoint that has several ("optimizer_states.1").

    Raises:
        CheckpointError: the file cannot be read, is damaged, or is of another kind; or it does not tell
            what is needed.
    """
    where, request = str(path), Request(kind, dialect, hyper, t, needs_dialect, key)
    if kind is not None and kind not in FORMATS:
        raise CheckpointError(f"no format {kind!r}: expected one of {', '.join(FORMATS)}")
    if prefix := prefix_of(path):
        return from_tensorflow(TensorBundle(prefix, CheckpointError), where, request)
    place = pathlib.Path(path)
    place = place_in(place) if os.path.isdir(place) else place  # False where a name is too long, too
    data = None if os.path.isdir(place) else read_bytes(place)
    saved = open_checkpoint(place, data, key)
    if saved is not None:
        if kind not in (None, "torch"):
            raise CheckpointError(f"{where} is a checkpoint of PyTorch's: expected one of {kind}'s")
        return checkpoint_state(
            saved, where, names, by_position=by_position, dialect=dialect, hyper=hyper, t=t
        )
    if data is None:
        return from_tree(open_orbax(path), where, request)
    if is_msgpack(data, where):
        return from_tree(open_msgpack(data, where), where, request)
    flat: Mapping[str, Array]
    if key is not None:
        raise CheckpointError(f"{where} is a file of a kind that holds one state: expected no key (--key)")
    if data[:8] == b"\x89HDF\r\n\x1a\n" or where.endswith(".keras"):
        return read_keras(
            data, where, names, by_position=by_position, dialect=dialect, hyper=hyper, needs=needs_dialect
        )
    if data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05") and data[-1:] == b".":
        raise CheckpointError(
            f"{where} is a pickle, which is never loaded: load it where it was made and save its arrays, "
            "Paddle's with numpy.savez(FILE, **{name: x for name, x in paddle.load(..., "
            "return_numpy=True).items() if hasattr(x, 'shape')})"
        )
    if data[:4] == b"PK\x03\x04":
        flat = load_npz(data, where)
    else:
        tensors, metadata = decode(data, where, CheckpointError)
        if kind == "adamcore" or (kind is None and "adamcore" in metadata and is_ours(metadata)):
            unneeded(where, hyper, t)
            return decode_state(tensors, metadata, where)
        flat = from_file_arrays(tensors, where)
    if is_by_object(flat):
        return from_tensorflow(flat, where, request)
    if kind == "torch":
        raise CheckpointError(
            f"{where} is no checkpoint of PyTorch's (arrays: {', '.join(list(flat)[:4])}, ...): expected a "
            "file of torch.save, LeRobot's state/ID/exp_avg, or a folder"
        )
    found = kind or detect_layout(flat)
    if found is None:
        raise CheckpointError(
            f"{where} does not tell whose state it is (arrays: {', '.join(list(flat)[:4])}, ...): say so, "
            f"one of {', '.join(FORMATS)} (--from)"
        )
    if needs_dialect and dialect is None and found in BOTH:
        raise CheckpointError(dialect_is_needed(where, found))
    state = from_flat(flat, found, dialect_name=dialect, hyper=hyper, t=t)
    return named_by(state, names, by_position, where) if LAYOUTS[found].numbered else state


def from_tree(leaves: Mapping[Path, Any], where: str, request: Request) -> NamedState:
    """Return the state in the arrays of a checkpoint of flax' or orbax', by their paths."""
    kind, dialect, hyper, t, needs_dialect, key = request
    if kind not in (None, "optax"):
        raise CheckpointError(f"{where} is a checkpoint of flax' or orbax': expected one of {kind}'s")
    if needs_dialect and dialect is None and places(leaves):
        raise CheckpointError(dialect_is_needed(where, "optax"))
    flat, clocks = raw_state(leaves, where, key)
    return from_flat(flat, "optax", dialect_name=dialect, hyper=hyper, t=clocks if t is None else t)


def unneeded(where: str, hyper: Mapping[str, Any] | None, t: object) -> None:
    """Raise CheckpointError if something is given that the file tells itself."""
    given = [*(hyper or {}), *(["t"] if t is not None else [])]
    if given:
        raise CheckpointError(
            f"{where} tells its own hyperparameters and clocks: expected no {', '.join(given)} (--set, --t)"
        )


def write(state: NamedState, path: str | os.PathLike[str], kind: str, *, like: Any = None) -> None:
    """Write a state to a file, whole or not at all.

    Args:
        state: the state.
        path: the file.  Kinds other than "adamcore" and "torch" are written as .npz if the name ends so,
            else as safetensors.
        kind: one of :data:`FORMATS`.  "torch" is for ``torch.load(path, weights_only=True)`` and
            ``load_state_dict``, with ``param_names``.
        like: for "torch", the optimizer's own ``state_dict()``.

    Raises:
        CheckpointError: the file cannot be written, or its name says another kind of file.
        ConversionError: the format has no place for a part of the state.
    """
    check_name(path, kind)
    buffer = io.BytesIO()
    if kind == "adamcore":
        parts = encode_state(state)
    elif kind == "torch":
        import torch

        form = torch_groups(state) if like is None else like
        numbered = own_names(form["param_groups"]) is None
        torch.save(to_torch(state, form, by_position=numbered), buffer)
        parts = [buffer.getvalue()]
    elif str(path).lower().endswith(".npz"):
        flat = to_flat(state, kind)
        for name, x in flat.items():
            if x.dtype.kind == "V":  # NumPy would store nameless bytes
                raise ConversionError(
                    f"{name} is {x.dtype}, which .npz has no type for: expected a destination in "
                    ".safetensors, which has"
                )
        np.savez(buffer, **flat)  # type: ignore[arg-type]
        parts = [buffer.getvalue()]
    else:
        parts = encode(to_file_arrays(to_flat(state, kind)))
    write_file(path, parts)


def torch_groups(state: NamedState) -> dict[str, Any]:
    """Return an empty ``state_dict`` of torch.optim's class, a group for each set of hyperparameters."""
    sets: dict[Adam, list[str]] = {}
    for name in state.leaves:
        sets.setdefault(state.adam_of(name), []).append(name)
    groups, start = [], 0
    for adam, names in sets.items():
        group = group_of(adam)
        group |= {"params": list(range(start, start + len(names))), "param_names": names}
        groups.append(group)
        start += len(names)
    return {"state": {}, "param_groups": groups}


def is_ours(metadata: Mapping[str, str]) -> bool:
    try:
        return "schema" in json.loads(metadata["adamcore"])
    except ValueError:
        return True


def load_npz(data: bytes, where: str) -> dict[str, Array]:
    """Return the arrays of an .npz file.

    Raises:
        CheckpointError: the file is damaged, or holds pickled objects.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays: dict[str, Array] = {name: archive[name] for name in archive.files}
    except zipfile.BadZipFile as error:
        raise CheckpointError(
            f"{where} is damaged, or cut: it begins as a zip file and ends otherwise"
        ) from error
    except (ValueError, OSError, RuntimeError, zlib.error, KeyError, EOFError) as error:
        raise CheckpointError(f"{where} is damaged, or no .npz file of plain arrays ({error})") from error
    for name, x in arrays.items():
        if x.dtype.kind == "V":
            raise CheckpointError(
                f"{where}: {name} is stored as {x.dtype.itemsize} nameless bytes an element (bfloat16, "
                "probably, which .npz has no type for): expected numbers; write it as float32 or safetensors"
            )
    return arrays
