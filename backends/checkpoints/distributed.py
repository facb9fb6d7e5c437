"""Folders of ``torch.distributed.checkpoint``: ``.metadata``, and the ``.distcp`` files of every process.

``.metadata`` is a pickle that says where each piece of each tensor lies.  It is read here into inert records:
PyTorch's own reader would import and call whatever the pickle names.
"""

from __future__ import annotations

import collections
import io
import math
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adamcore.backends.checkpoints.torch_files import load_torch
from adamcore.errors import BackendError, CheckpointError

METADATA = ".metadata"


class Record:
    """What stands in for an object of the metadata: its attributes, without its class."""

    def __init__(self, *args: object) -> None:
        self.args = args

    def __new__(cls, *args: object, **kwargs: object) -> Record:
        return object.__new__(cls)

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)
        else:
            self.state = state


class Reader(pickle.Unpickler):
    """Unpickles containers, sizes and dtypes, and a :class:`Record` in place of anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name in the pickle stands for."""
        import torch

        if (module, name) == ("torch", "Size"):
            return tuple
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        return Record


class Piece(dict[str, Any]):
    """Where the pieces of one tensor lie, until :func:`load_tensors` loads them."""


def is_distributed(folder: Path) -> bool:
    """True for the folder of a distributed checkpoint."""
    return (folder / METADATA).is_file()


def open_distributed(folder: Path) -> dict[str, Any]:
    """Return the content of a distributed checkpoint, nested; tensors are not loaded yet.

    Raises:
        CheckpointError: the folder is damaged, incomplete, or compressed.
        BackendError: PyTorch is not installed.
    """
    metadata = read_metadata(folder)
    try:
        kinds, paths = dict(metadata.state_dict_metadata), metadata.planner_data or {}
        stored: dict[str, list[tuple[Any, Any]]] = {}
        for index, info in metadata.storage_data.items():
            stored.setdefault(index.fqn, []).append((getattr(index, "offset", None), info))
        content: dict[str, Any] = {}
        for key, kind in kinds.items():
            path = paths.get(key, (key,)) if isinstance(paths, Mapping) else (key,)
            whole = hasattr(kind, "chunks")
            piece = Piece(kind=kind, stored=stored.get(key, []), key=key) if whole else None
            value = piece if piece is not None else load_value(folder, stored[key][0][1], key)
            put(content, tuple(path), value)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise CheckpointError(
            f"{folder / METADATA} is damaged, or of a form that is not known: {error!r}"
        ) from error
    listed: dict[str, Any] = with_lists(content)
    return listed


def read_metadata(folder: Path) -> Any:
    """Return the record in ``.metadata``.

    Raises:
        CheckpointError: it can't be read.
        BackendError: PyTorch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise BackendError(f"{folder} is a checkpoint of PyTorch's: install torch to read it") from error
    try:
        return Reader(io.BytesIO((folder / METADATA).read_bytes())).load()
    except OSError as error:
        raise CheckpointError(f"{folder / METADATA} can't be read: {error.strerror or error}") from error
    except Exception as error:
        raise CheckpointError(f"{folder / METADATA} is damaged: {error!r}"[:300]) from error


def put(content: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    """Put a value at a path of keys and list indices; lists are dictionaries until :func:`with_lists`."""
    for part in path[:-1]:
        content = content.setdefault(part, {})
    content[path[-1]] = value


def with_lists(node: Any) -> Any:
    """Return nested dictionaries with a list in place of each whose keys are indices."""
    if not isinstance(node, dict) or isinstance(node, Piece):
        return node
    if node and all(type(key) is int for key in node):
        return [with_lists(node[key]) for key in sorted(node)]
    return {key: with_lists(value) for key, value in node.items()}


def load_value(folder: Path, info: Any, key: str) -> Any:
    """Return a value that is no tensor."""
    return load_torch(read_piece(folder, info, key), f"{key} in {folder}")


def read_piece(folder: Path, info: Any, key: str) -> bytes:
    """Return the bytes of a piece.

    Raises:
        CheckpointError: it lies outside the folder, is compressed, cut or not there.
    """
    if getattr(info, "transform_descriptors", None):
        raise CheckpointError(
            f"{key} in {folder} is compressed ({', '.join(map(str, info.transform_descriptors))}): load the "
            "checkpoint with torch.distributed.checkpoint and save it without extensions"
        )
    name = str(info.relative_path)
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise CheckpointError(f"{folder / METADATA} is damaged: it names {name!r}, outside the folder")
    try:
        with open(folder / name, "rb") as file:
            file.seek(int(info.offset))
            data = file.read(int(info.length))
    except OSError as error:
        raise CheckpointError(
            f"{folder / name} can't be read: {error.strerror or error}; expected the files of all processes"
        ) from error
    if len(data) != int(info.length):
        raise CheckpointError(f"{folder / name} is cut: {key} ends behind its end")
    return data


def load_tensors(node: Any, folder: Path) -> Any:
    """Return a part of a checkpoint's content with its tensors loaded."""
    if isinstance(node, Piece):
        return assembled(node, folder)
    if isinstance(node, dict):
        return {key: load_tensors(value, folder) for key, value in node.items()}
    return [load_tensors(value, folder) for value in node] if isinstance(node, list) else node


def assembled(piece: Piece, folder: Path) -> Any:
    """Return a tensor from its pieces.

    Raises:
        CheckpointError: a piece is missing, or has another shape than the metadata says.
    """
    import torch

    key, size = piece["key"], tuple(piece["kind"].size)
    whole: Any = None
    done = 0
    for offset, part in pieces(piece, folder):
        if whole is None:
            whole = torch.zeros(size, dtype=part.dtype)
        start = tuple(offset) if offset is not None else (0,) * len(size)
        where = tuple(slice(a, a + n) for a, n in zip(start, part.shape, strict=False))
        if len(start) != len(size) or whole[where].shape != part.shape:
            raise CheckpointError(
                f"{key} in {folder}: a piece of shape {tuple(part.shape)} at {list(start)} is not within "
                f"{list(size)}"
            )
        whole[where] = part
        done += part.numel()
    if whole is None or done != math.prod(size):
        raise CheckpointError(
            f"{key} in {folder} is incomplete: {done} of {math.prod(size)} elements; expected the files of "
            "all processes"
        )
    return whole


def pieces(piece: Piece, folder: Path) -> Iterator[tuple[Any, Any]]:
    """Yield the offset and the tensor of each piece."""
    import torch

    for offset, info in piece["stored"]:
        part = load_torch(read_piece(folder, info, piece["key"]), f"{piece['key']} in {folder}")
        if not isinstance(part, torch.Tensor):
            raise CheckpointError(f"{piece['key']} in {folder} is no tensor: expected one")
        yield offset, part
