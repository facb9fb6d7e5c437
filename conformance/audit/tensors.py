"""Files of named arrays in the safetensors format, read with every length checked, and written.

The format is eight bytes of header length, a JSON header, and the arrays' bytes.  Reading it here
needs no package, knows bfloat16, and can say what is wrong with a file and where.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from adamcore.conformance.dtypes import DTYPES, from_bits
from adamcore.conformance.probe import FloatArray
from adamcore.errors import AdamcoreError

CODES = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}
LONGEST_HEADER = 100_000_000


class RecordingError(AdamcoreError, ValueError):
    """A recording that is damaged, cut, or not of this kind; or arrays that none can be made of."""


class Tensor(NamedTuple):
    """An array as it lies in a file."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def values(self) -> FloatArray:
        """Its values, in the dtype's carrier."""
        bits = np.frombuffer(self.data, dtype=f"<u{DTYPES[self.dtype].width // 8}")
        return from_bits(bits, self.dtype).reshape(self.shape)


def digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """The hash of arrays and metadata, by which a damaged file is known."""
    sha = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        dtype, shape, data = tensors[name]
        sha.update(f"\0{name}\0{dtype}\0{list(shape)}\0".encode() + data)
    return sha.hexdigest()


def write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a file, whole or not at all.

    Raises:
        OSError: the folder is not there or cannot be written to.
    """
    codes = {name: code for code, name in CODES.items()}
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    at = 0
    for name, tensor in tensors.items():
        end = at + len(tensor.data)
        header[name] = {"dtype": codes[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.writelines(tensor.data for tensor in tensors.values())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The arrays and the metadata of a file.

    Raises:
        RecordingError: there is no such file, or it is no safetensors file of floating arrays.
    """
    try:
        whole = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error
    length = int.from_bytes(whole[:8], "little")
    if len(whole) < 10 or length > LONGEST_HEADER or not whole[8:9] == b"{":
        raise RecordingError(f"{path}: not a safetensors file ({len(whole)} bytes, no header at the start)")
    if 8 + length > len(whole):
        raise RecordingError(f"{path}: cut: a header of {length} bytes in a file of {len(whole)}")
    try:
        header = json.loads(whole[8 : 8 + length])
    except ValueError as error:
        raise RecordingError(f"{path}: the header is not JSON ({error})") from error
    data = whole[8 + length :]
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict):
        raise RecordingError(f"{path}: the header's __metadata__ is no object")
    tensors = {name: tensor(path, name, entry, data) for name, entry in header.items()}
    used = sum(len(t.data) for t in tensors.values())
    if used != len(data):
        raise RecordingError(f"{path}: {len(data)} bytes of arrays, the header accounts for {used}")
    return tensors, metadata


def tensor(path: Path, name: str, entry: object, data: bytes) -> Tensor:
    """One array, its dtype, shape and place checked."""
    try:
        code, shape, (start, end) = entry["dtype"], entry["shape"], entry["data_offsets"]  # type: ignore[index]
        whole = all(type(n) is int and n >= 0 for n in (*shape, start, end))
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise RecordingError(f"{path}: array {name!r}: the header's entry is damaged: {entry!r}"[:300])
    if code not in CODES:
        raise RecordingError(f"{path}: array {name!r} is of dtype {code}; expected {', '.join(CODES)}")
    size = math.prod(shape) * DTYPES[CODES[code]].width // 8
    if end - start != size:
        raise RecordingError(
            f"{path}: array {name!r}: {end - start} bytes for {code}{shape}, which takes {size}"
        )
    if end > len(data):
        raise RecordingError(
            f"{path}: cut: array {name!r} ends at byte {end} of the arrays, the file has {len(data)}"
        )
    return Tensor(CODES[code], tuple(shape), data[start:end])
