"""The files of named arrays: how they are made and opened.

==============  =====================================================================
``safetensors``  ``PART.safetensors``, one file for all parameters
``npy``          ``PART/NAME.npy``, a file for each parameter
``zarr``         ``PART.zarr``, a group with an array for each parameter
==============  =====================================================================
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from adamcore.backends.files.arrays import FileArray, MemoryArray, Writable, ZarrArray
from adamcore.backends.io.dtypes import numpy_dtype
from adamcore.backends.io.safetensors import CODES, LONGEST_HEADER, head, read_head
from adamcore.errors import BackendError, CheckpointError
from adamcore.types import DType

FORMATS = ("safetensors", "npy", "zarr")
CHUNK = 1 << 20  #: elements of a chunk of zarr's


class Spec(NamedTuple):
    """What is known of an array before it is there."""

    dtype: str  #: NumPy's name
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


Specs = Mapping[str, Mapping[str, Spec]]  #: by part (p, m, v, ...) and the parameter's name


def make(folder: Path, file_format: str, specs: Specs) -> None:
    """Make the files of arrays of zeros in a folder; they take no room until something is written.

    Raises:
        CheckpointError: the format has no such dtype.
        BackendError: zarr is not installed.
    """
    for part, arrays in specs.items():
        if file_format == "safetensors":
            make_safetensors(folder / f"{part}.safetensors", arrays)
        elif file_format == "npy":
            (folder / part).mkdir()
            for name, spec in arrays.items():
                path = folder / part / f"{quoted(name)}.npy"
                dtype = numpy_dtype(spec.dtype, str(path))
                np.lib.format.open_memmap(path, "w+", dtype, spec.shape)
        else:
            group = zarr().open_group(str(folder / f"{part}.zarr"), mode="w")
            for name, spec in arrays.items():
                group.create_array(
                    quoted(name),
                    shape=spec.shape,
                    chunks=chunk_shape(spec.shape, CHUNK),
                    dtype=checked_for_zarr(spec.dtype),
                    compressors=None,
                )


def chunk_shape(shape: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return the shape of the chunks that are the ranges of :func:`adamcore.backends.files.arrays.boxes`.

    >>> chunk_shape((4, 5, 6), 12)
    (1, 2, 6)
    """
    found: list[int] = []
    for n in reversed(shape):
        found.append(max(1, min(n, most)))
        most //= max(n, 1)
    return tuple(found[::-1])


def make_safetensors(path: Path, arrays: Mapping[str, Spec]) -> None:
    """Make a file of arrays of zeros, those of the widest dtype first, so that all are aligned."""
    for name, spec in arrays.items():
        if spec.dtype not in CODES:
            raise CheckpointError(
                f"{name} has dtype {spec.dtype}, which safetensors lacks: expected one of "
                f"{', '.join(CODES)}; use file_format='npy'"
            )
    widths = {name: numpy_dtype(spec.dtype, str(path)).itemsize for name, spec in arrays.items()}
    order = sorted(arrays, key=lambda name: -widths[name])
    sizes = {name: (*arrays[name], arrays[name].size * widths[name]) for name in order}
    start = head(sizes)
    with open(path, "xb") as file:
        file.write(start)
        file.truncate(len(start) + sum(size for *_, size in sizes.values()))


def open_arrays(folder: Path, file_format: str, specs: Specs) -> dict[str, dict[str, Writable]]:
    """Return the arrays that :func:`make` has made.

    Raises:
        CheckpointError: a file lacks, is cut, or holds other arrays.
    """
    found: dict[str, dict[str, Writable]] = {}
    for part, arrays in specs.items():
        there: Mapping[str, Any]
        if file_format == "safetensors":
            there = in_safetensors(folder / f"{part}.safetensors")
        elif file_format == "npy":
            paths = {name: folder / part / f"{quoted(name)}.npy" for name in arrays}
            there = {name: in_npy(path, arrays[name].dtype) for name, path in paths.items()}
        else:
            there = in_zarr(folder / f"{part}.zarr", "r+")
        for name, spec in arrays.items():
            x = there.get(name)
            came = None if x is None else Spec(x.dtype.name, tuple(x.shape))
            if came != spec:
                raise CheckpointError(
                    f"{folder}: {part} of {name!r} is {came or 'not there'}: expected {spec}; the files were "
                    "changed since they were made"
                )
        found[part] = {name: there[name] for name in arrays}
    return found


def in_safetensors(path: Path) -> dict[str, Any]:
    """Return the arrays in a file of safetensors, of which its head alone is read."""
    try:
        with open(path, "rb") as file:
            data = file.read(8)
            data += file.read(min(int.from_bytes(data, "little"), LONGEST_HEADER))
        places, _ = read_head(data, path.stat().st_size, str(path), CheckpointError)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error
    return {
        name: FileArray(path, x.start, numpy_dtype(x.dtype, str(path)), x.shape) for name, x in places.items()
    }


def in_npy(path: Path, dtype: str | None = None) -> Any:
    """Return the array in a file of NumPy's; ``dtype`` is the name of one that the file does not name."""
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CheckpointError(f"{path} can't be read as a file of NumPy's: {error}") from error
    kind = x.dtype
    if kind.kind == "V" and kind.itemsize == 2:  # of ml_dtypes, whose name the format has no place for
        kind = numpy_dtype(dtype if dtype in ("bfloat16", "float16") else "bfloat16", str(path))
    if x.flags.c_contiguous and isinstance(x, np.memmap):
        return FileArray(path, x.offset, kind, x.shape)
    return MemoryArray(x.view(kind))


def in_zarr(path: Path, mode: str = "r") -> dict[str, Any]:
    """Return the arrays in a group of zarr's, which is opened in this mode."""
    try:
        group = zarr().open_group(str(path), mode=mode)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} can't be read as a group of zarr's: {error}") from error
    return {unquote(name): ZarrArray(x) for name, x in group.members(max_depth=None) if hasattr(x, "chunks")}


def zarr() -> Any:
    """Return the library.

    Raises:
        BackendError: it is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise BackendError("arrays of zarr need it: pip install 'adamcore[zarr]'") from error
    return zarr


def checked_for_zarr(dtype: str) -> DType:
    """Return a dtype that zarr has.

    Raises:
        CheckpointError: it is one of ml_dtypes.
    """
    found = np.dtype(numpy_dtype(dtype, "zarr"))
    if found.kind == "V":
        raise CheckpointError(f"zarr has no dtype {dtype}: use file_format='safetensors' or 'npy'")
    return found


def quoted(name: str) -> str:
    """Return a parameter's name as the name of a file.

    >>> quoted("layers/0.weight")
    'layers%2F0.weight'
    """
    found = quote(name, safe=" +,=@()[]{}~!")
    return found if found.strip(".") else found.replace(".", "%2E")  # no name of a folder


def files_of(folder: Path) -> list[Path]:
    """Return all files below a folder, and the folders, deepest first."""
    return [
        Path(where, name)
        for where, folders, names in os.walk(folder, topdown=False)
        for name in (*names, *folders)
    ]
