"""TensorFlow's checkpoints, read without TensorFlow: an index, and the arrays in files beside it.

The index is a sorted table in LevelDB's format, from an array's name to a protocol buffer (BundleEntryProto)
that says where the array lies.  An array is read when it is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from adamcore.backends.io.dtypes import numpy_dtype
from adamcore.errors import AdamcoreError

MAGIC = bytes.fromhex("57fb808b247547db")  #: the last eight bytes of a table
STRING, BFLOAT16 = 7, 14
#: NumPy's name of each of TensorFlow's types (tensorflow/core/framework/types.proto).
DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    8: "complex64",
    9: "int64",
    10: "bool",
    BFLOAT16: "bfloat16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    22: "uint32",
    23: "uint64",
}


class Entry(NamedTuple):
    """Where an array lies."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    sliced: bool


class TensorBundle(Mapping[str, npt.NDArray[Any]]):
    """The arrays of a checkpoint, by their names; strings are left out.

    Args:
        prefix: the checkpoint's path, without ".index".
        error: the class of the errors.

    Raises:
        AdamcoreError: (of the class ``error``) the index, or at the lookup an array, is damaged or lacking.
    """

    def __init__(self, prefix: Path, error: type[AdamcoreError]) -> None:
        self.prefix, self.error = prefix, error
        try:
            table = dict(records(Path(f"{prefix}.index").read_bytes()))
            header = fields(table.pop(b""))
            self.entries = {name.decode(): entry_of(fields(x)) for name, x in table.items()}
        except (OSError, ValueError, IndexError, KeyError, UnicodeDecodeError) as cause:
            raise error(f"{prefix}.index is damaged, or no index of TensorFlow's ({cause!r})") from cause
        self.shards = int(last(header, 1, 1))
        if last(header, 2, 0):
            raise error(f"{prefix} was written on a big-endian machine: expected a little-endian one")

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        entry = self.entries[name]
        if entry.sliced:
            raise self.error(
                f"{self.prefix}: {name} is stored in slices, those of a partitioned variable: load it in "
                "TensorFlow and save it whole"
            )
        if entry.dtype not in DTYPES:
            raise self.error(f"{self.prefix}: {name} is of TensorFlow's type {entry.dtype}: expected numbers")
        data = self.content(name)
        try:
            return np.frombuffer(data, numpy_dtype(DTYPES[entry.dtype], name)).reshape(entry.shape).copy()
        except ValueError as cause:
            raise self.error(f"{self.prefix}: {name} is damaged ({cause})") from cause

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __iter__(self) -> Iterator[str]:
        return (name for name, entry in self.entries.items() if entry.dtype != STRING)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def text(self, name: str) -> bytes:
        """Return the bytes of one string; b"" if there is none of this name."""
        if name not in self.entries:
            return b""
        data = self.content(name)
        size, start = varint(data, 0)
        return data[start + 4 : start + 4 + size]  # four bytes of a checksum between

    def content(self, name: str) -> bytes:
        """Return the bytes of an array."""
        entry = self.entries[name]
        path = f"{self.prefix}.data-{entry.shard:05d}-of-{self.shards:05d}"
        try:
            with open(path, "rb") as file:
                if file.seek(0, 2) >= entry.offset + entry.size:
                    file.seek(entry.offset)
                    return file.read(entry.size)
        except OSError as cause:
            raise self.error(f"{path} can't be read: {cause.strerror or cause}") from cause
        raise self.error(f"{path} is cut: {name} ends at byte {entry.offset + entry.size}")


def records(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Return the keys and the values of a table.

    Raises:
        ValueError: it is damaged, or compressed.
    """
    if table[-8:] != MAGIC:
        raise ValueError("its last bytes are not those of a table")
    footer, at = table[-48:-8], 0
    for _ in range(2):  # of the table's own metadata, which are empty
        _, at = varint(footer, at)
    offset, at = varint(footer, at)
    size, _ = varint(footer, at)
    for _, handle in block(table, offset, size):
        start, at = varint(handle, 0)
        yield from block(table, start, varint(handle, at)[0])


def block(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Return the keys and the values of one block; a key shares its first bytes with the one before."""
    data, key, at = table[offset : offset + size], b"", 0
    if len(data) < size or table[offset + size] != 0:
        raise ValueError("a block is cut, or compressed")
    restarts = int.from_bytes(data[-4:], "little")
    while at < size - 4 - 4 * restarts:
        shared, at = varint(data, at)
        unshared, at = varint(data, at)
        length, at = varint(data, at)
        key = key[:shared] + data[at : at + unshared]
        at += unshared
        yield key, data[at : at + length]
        at += length


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of as many bytes as it needs, and where it ends.

    >>> varint(bytes([0xac, 0x02]), 0)
    (300, 2)
    """
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def fields(message: bytes) -> dict[int, list[Any]]:
    """Return the fields of a protocol buffer: numbers, and bytes for all that has a length.

    >>> fields(bytes([0x08, 0x05, 0x12, 0x01, 0x41]))
    {1: [5], 2: [b'A']}
    """
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        value: Any
        if kind == 0:
            value, at = varint(message, at)
        elif kind in (1, 2, 5):
            size, at = varint(message, at) if kind == 2 else (8 if kind == 1 else 4, at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(f"a field of kind {kind}")
        found.setdefault(tag >> 3, []).append(value)
    return found


def last(message: Mapping[int, list[Any]], number: int, default: Any) -> Any:
    """Return the value of a field that comes once, or the default."""
    return message.get(number, [default])[-1]


def entry_of(message: Mapping[int, list[Any]]) -> Entry:
    """Return what a BundleEntryProto says."""
    dims = [fields(x) for x in fields(last(message, 2, b"")).get(2, [])]
    return Entry(
        dtype=last(message, 1, 0),
        shape=tuple(last(dim, 1, 0) for dim in dims),
        shard=last(message, 3, 0),
        offset=last(message, 4, 0),
        size=last(message, 5, 0),
        sliced=7 in message,
    )
