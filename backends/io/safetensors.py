"""The safetensors format: named arrays and metadata.  Every length is checked on reading.

A file is eight bytes with the length of the header, a JSON header, and the bytes of the arrays.  Saved
states and recordings are such files; each has an error type of its own.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy.typing as npt

from adamcore.errors import AdamcoreError

DTYPES = {
    "F64": ("float64", 8),
    "F32": ("float32", 4),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "I64": ("int64", 8),
    "I32": ("int32", 4),
    "U64": ("uint64", 8),
    "U32": ("uint32", 4),
    "I16": ("int16", 2),
    "I8": ("int8", 1),
    "U8": ("uint8", 1),
    "BOOL": ("bool", 1),
}  #: the format's code of a dtype -> NumPy's name of it, and its bytes
CODES = {name: code for code, (name, _) in DTYPES.items()}
LONGEST_HEADER = 100_000_000  #: bytes, the limit of the format


class Tensor(NamedTuple):
    """An array in a file."""

    dtype: str  #: NumPy's name
    shape: tuple[int, ...]
    data: bytes | memoryview  #: little-endian, in C order


def as_tensor(x: npt.NDArray[Any]) -> Tensor:
    """Return a NumPy array, of any byte order, as it lies in a file."""
    return Tensor(x.dtype.name, x.shape, x.astype(x.dtype.newbyteorder("<"), copy=False).tobytes())


def digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """Return the SHA-256 of arrays and of the text that describes them; it tells a damaged file."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        dtype, shape, data = tensors[name]
        sha.update(f"\0{name}\0{dtype}\0{list(shape)}\0".encode())
        sha.update(data)
    return sha.hexdigest()


def encode(
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
    separators: tuple[str, str] | None = None,
) -> list[bytes | memoryview]:
    """Return a file's content in pieces.

    Args:
        tensors: the arrays, by name; they lie in the file in this order.
        metadata: text, by name.
        separators: the separators of the JSON header, as for :func:`json.dumps`.
    """
    spans = {name: (dtype, shape, len(data)) for name, (dtype, shape, data) in tensors.items()}
    return [head(spans, metadata, separators), *(x.data for x in tensors.values())]


def head(
    spans: Mapping[str, tuple[str, tuple[int, ...], int]],
    metadata: Mapping[str, str] | None = None,
    separators: tuple[str, str] | None = None,
) -> bytes:
    """Return what a file has before its arrays; ``spans`` has the dtype, shape and bytes of each array."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    start = 0
    for name, (dtype, shape, size) in spans.items():
        header[name] = {
            "dtype": CODES[dtype],
            "shape": list(shape),
            "data_offsets": [start, start + size],
        }
        start += size
    text = json.dumps(header, separators=separators).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


class Place(NamedTuple):
    """Where an array lies in a file."""

    dtype: str  #: NumPy's name
    shape: tuple[int, ...]
    start: int  #: its first byte in the file
    stop: int


def decode(data: bytes, where: str, error: type[AdamcoreError]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the arrays and the metadata in a file's content.

    Args:
        data: the content; the arrays are views of it.
        where: the name of the file, for messages.
        error: the type of the error to raise.

    Raises:
        error: the content is no safetensors file, or it is cut or damaged; the message says which.
    """
    places, metadata = read_head(data, len(data), where, error)
    view = memoryview(data)
    return {n: Tensor(x.dtype, x.shape, view[x.start : x.stop]) for n, x in places.items()}, metadata


def read_head(
    data: bytes, total: int, where: str, error: type[AdamcoreError]
) -> tuple[dict[str, Place], dict[str, str]]:
    """Return where a file's arrays lie, and its metadata.

    Args:
        data: the file's content, at least as far as the arrays.
        total: the bytes of the whole file.
        where, error: as for :func:`decode`, which has the errors too.
    """
    if len(data) < 8:
        raise error(f"{where} is no safetensors file: it has {len(data)} bytes, and is empty or cut")
    length = int.from_bytes(data[:8], "little")
    if length > LONGEST_HEADER or data[8:9] not in (b"{", b""):
        raise error(f"{where} is no safetensors file: it begins with {data[:9]!r}")
    if len(data) < 8 + length:
        raise error(f"{where} is cut: a header of {length} bytes in a file of {len(data)}")
    try:
        header = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as problem:
        raise error(f"{where} is damaged: the header is not JSON ({problem})") from problem
    metadata = header.pop("__metadata__", None) or {}  # MLX writes null
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise error(f"{where} is damaged: the header's __metadata__ is no object of strings")
    body = total - 8 - length
    places, spans = {}, []
    for name, entry in header.items():
        try:
            code, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
            whole = isinstance(code, str) and all(type(n) is int and n >= 0 for n in (*shape, start, end))
        except (KeyError, TypeError, ValueError):
            whole = False
        if not whole or len(shape) > 64 or math.prod(n or 1 for n in shape) >= 2**60:  # no array of NumPy's
            raise error(f"{where}: array {name!r}: the header's entry is damaged: {repr(entry)[:200]}")
        if code not in DTYPES:
            raise error(f"{where}: array {name!r} is of dtype {code}; expected one of {', '.join(DTYPES)}")
        dtype, width = DTYPES[code]
        size = math.prod(shape) * width
        if end - start != size:
            raise error(
                f"{where} is damaged: array {name!r}: {end - start} bytes for {code}{shape}, which takes "
                f"{size}"
            )
        if end > body:
            raise error(
                f"{where} is cut: array {name!r} ends at byte {end} of the arrays, the file has {body}"
            )
        places[name] = Place(dtype, tuple(shape), 8 + length + start, 8 + length + end)
        spans.append((start, end, name))
    last = 0
    for start, end, name in sorted(spans):
        if start != last:
            raise error(
                f"{where} is damaged: array {name!r} begins at byte {start} of the arrays, the one before it "
                f"ends at {last}"
            )
        last = end
    if last != body:
        raise error(f"{where} is damaged: {body} bytes of arrays, the header accounts for {last}")
    return places, metadata
