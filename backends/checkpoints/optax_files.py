"""The files in which JAX programs keep states of optax: flax' msgpack, and the folders of orbax."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adamcore.backends.io.dtypes import numpy_dtype
from adamcore.errors import BackendError, CheckpointError

Array = npt.NDArray[Any]
Path = tuple[str, ...]  #: of an array in a tree; the elements of lists and tuples are numbered
METADATA = "_METADATA"  #: the file in which orbax describes the tree of a checkpoint


def is_msgpack(data: bytes, where: str) -> bool:
    """True if a file holds a dictionary that flax serialized, by its name or by its first byte."""
    if where.endswith(".msgpack"):
        return True
    starts = data[:1] in {b"\xde", b"\xdf", *(bytes([0x80 + k]) for k in range(1, 16))}
    others = data[8:9] == b"{" or data[:4] == b"\x89HDF"  # safetensors begins with any eight bytes
    return starts and not others


def open_msgpack(data: bytes, where: str) -> dict[Path, Any]:
    """Return the leaves of a tree that flax serialized.

    Args:
        data: what ``flax.serialization.to_bytes`` or ``msgpack_serialize`` returned.
        where: names the file in messages.

    Raises:
        CheckpointError: the data are damaged, or no such tree.
        BackendError: msgpack is not installed.
    """
    try:
        import msgpack
    except ImportError as error:
        raise BackendError(f"{where} may be a file of flax': pip install msgpack to read it") from error
    try:
        tree = joined(msgpack.unpackb(data, ext_hook=extension, raw=False, strict_map_key=False))
    except Exception as error:
        raise CheckpointError(f"{where} is damaged, or no tree that flax serialized ({error})") from error
    if not isinstance(tree, Mapping):
        raise CheckpointError(
            f"{where} is no tree that flax serialized: it holds {type(tree).__name__}, expected a dictionary"
        )
    return leaves_of(tree)


def extension(code: int, data: bytes) -> Any:
    """Return an array, or a number, in the form in which flax packs it."""
    import msgpack

    if code in (1, 3):  # an array, a scalar of NumPy
        shape, name, content = msgpack.unpackb(data, raw=True)
        dtype = name.decode()
        return np.frombuffer(content, numpy_dtype(dtype, "the file")).reshape(shape).copy()
    if code == 2:
        return complex(*msgpack.unpackb(data))
    raise ValueError(f"an extension of type {code}, expected 1 to 3")


def joined(tree: Any) -> Any:
    """Return a tree with the arrays whole that flax has cut in chunks, since msgpack takes no larger ones."""
    if not isinstance(tree, Mapping):
        return tree
    if "__msgpack_chunked_array__" in tree:
        shape, chunks = (
            tuple(tree[key][str(k)] for k in range(len(tree[key]))) for key in ("shape", "chunks")
        )
        return np.concatenate(chunks).reshape(shape)
    return {key: joined(x) for key, x in tree.items()}


class OrbaxArray(NamedTuple):
    """Where an array of an orbax checkpoint lies."""

    folder: File
    name: str
    driver: str  #: of tensorstore
    packed: bool  #: if True, the arrays of the folder lie in one database

    def read(self) -> Array:
        """Return the array.

        Raises:
            CheckpointError: it cannot be read.
            BackendError: tensorstore is not installed.
        """
        try:
            import tensorstore
        except ImportError as error:
            raise BackendError(
                f"{self.folder} is a checkpoint of orbax': pip install tensorstore to read it"
            ) from error
        folder = self.folder.resolve()
        store: dict[str, Any] = {"driver": "file", "path": f"{folder}/{self.name}/"}
        if self.packed:
            store = {"driver": "ocdbt", "base": f"file://{folder}/", "path": f"{self.name}/"}
        try:
            opened = tensorstore.open({"driver": self.driver, "kvstore": store}, open=True, read=True)
            return np.asarray(opened.result().read().result())
        except Exception as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CheckpointError(f"{self.folder}: {self.name} can't be read ({first[:200]})") from error


class OrbaxLeaves(Mapping[Path, Array]):
    """The arrays of an orbax checkpoint, by their paths; an array is read when it is looked up."""

    def __init__(self, arrays: Mapping[Path, OrbaxArray]) -> None:
        self.arrays = arrays

    def __getitem__(self, path: Path) -> Array:
        return self.arrays[path].read()

    def __iter__(self) -> Iterator[Path]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


def open_orbax(path: str | os.PathLike[str]) -> OrbaxLeaves:
    """Return the arrays of a checkpoint of orbax': a tree's, a step's, or those of a manager's only step.

    Raises:
        CheckpointError: it is no such folder, it has several steps, or its metadata are damaged.
    """
    folder = File(path)
    if (folder / METADATA).is_file():
        return OrbaxLeaves(arrays_in(folder))
    inner = sorted(each for each in folder.iterdir() if each.is_dir())
    items = [each for each in inner if (each / METADATA).is_file()]
    if items:
        return OrbaxLeaves({(each.name, *path): x for each in items for path, x in arrays_in(each).items()})
    steps = [each for each in inner if any((x / METADATA).is_file() for x in each.iterdir())]
    if len(steps) == 1:
        return open_orbax(steps[0])
    if steps:
        raise CheckpointError(
            f"{folder} holds {len(steps)} steps ({', '.join(each.name for each in steps[:8])}): expected "
            f"one; give the step's own folder, such as {steps[-1]}"
        )
    raise CheckpointError(
        f"{folder} is a folder without {METADATA}: expected a file, or a checkpoint of orbax'"
    )


def arrays_in(folder: File) -> dict[Path, OrbaxArray]:
    """Return where the arrays of a tree lie, by their paths.

    Raises:
        CheckpointError: the metadata are damaged.
    """
    try:
        about = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        driver, packed = "zarr3" if about.get("use_zarr3") else "zarr", bool(about.get("use_ocdbt", True))
        found = {}
        for each in about["tree_metadata"].values():
            path = tuple(str(key["key"]) for key in each["key_metadata"])
            if each["value_metadata"]["value_type"] in ("jax.Array", "np.ndarray", "scalar"):
                found[path] = OrbaxArray(folder, ".".join(path), driver, packed)
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{folder / METADATA} is damaged, or not orbax' ({error!r})") from error


def leaves_of(tree: Any, path: Path = ()) -> dict[Path, Any]:
    """Return the leaves of nested dictionaries, lists and tuples, None left out.

    >>> leaves_of({"a": [None, {"b": 1}]})
    {('a', '1', 'b'): 1}
    """
    if tree is None:
        return {}
    if isinstance(tree, Mapping):
        pairs = [(str(key), x) for key, x in tree.items()]
    elif isinstance(tree, list | tuple):
        pairs = [(str(k), x) for k, x in enumerate(tree)]
    else:
        return {path: tree}
    return {p: x for key, child in pairs for p, x in leaves_of(child, (*path, key)).items()}
