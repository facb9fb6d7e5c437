"""Arrays of any library as bytes, and back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from adamcore.backends.io.safetensors import Tensor, as_tensor
from adamcore.conformance.dtypes import DTYPES, from_bits
from adamcore.conformance.types import FloatArray
from adamcore.errors import AdamcoreError

Arrays = Mapping[str, Any]  #: name -> an array, or a mapping of arrays again
COMPLEX = {"complex64": "float32", "complex128": "float64"}  #: complex dtype -> that of its two parts


class RecordingError(AdamcoreError, ValueError):
    """A file that is damaged, cut off or no recording, or a run that cannot be recorded."""


def pack(name: str, array: Any) -> Tensor:
    """Return an array's dtype, shape and bytes, whatever library it belongs to.

    Of a sparse array every element is kept, of a sharded one (a DTensor) the local shard.

    Raises:
        RecordingError: its dtype is none of those that are recorded.
    """
    if hasattr(array, "detach"):  # torch, whose bfloat16 NumPy does not know
        torch = sys.modules["torch"]
        tensor = array.detach()
        tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
        tensor = tensor if tensor.layout is torch.strided else tensor.to_dense()
        dtype = str(tensor.dtype)[len("torch.") :]
        if dtype in DTYPES or dtype in COMPLEX:
            tensor = tensor.cpu().resolve_conj().resolve_neg().contiguous()
            return Tensor(dtype, tuple(tensor.shape), tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    else:
        values = np.asarray(array)
        dtype = values.dtype.name
        if dtype in DTYPES or dtype in COMPLEX:
            return as_tensor(values)
    raise RecordingError(f"array {name!r} is of dtype {dtype}; expected {', '.join((*DTYPES, *COMPLEX))}")


def as_real(tensor: Tensor) -> Tensor:
    """Return a complex array as a real one with its two parts in a last dimension; others as they are."""
    if tensor.dtype not in COMPLEX:
        return tensor
    return Tensor(COMPLEX[tensor.dtype], (*tensor.shape, 2), tensor.data)


def as_complex(tensor: Tensor) -> Tensor:
    """Return the complex array that :func:`as_real` took apart."""
    dtype = next(name for name, part in COMPLEX.items() if part == tensor.dtype)
    return Tensor(dtype, tensor.shape[:-1], tensor.data)


def tensor_values(tensor: Tensor) -> FloatArray:
    """Return an array's values, in the dtype's carrier."""
    if tensor.dtype == "bool":
        return np.frombuffer(tensor.data, dtype=bool).reshape(tensor.shape)
    if tensor.dtype in COMPLEX:
        order = np.dtype(tensor.dtype).newbyteorder("<")
        return np.frombuffer(tensor.data, dtype=order).astype(tensor.dtype).reshape(tensor.shape)
    bits = np.frombuffer(tensor.data, dtype=f"<u{DTYPES[tensor.dtype].width // 8}")
    return from_bits(bits, tensor.dtype).reshape(tensor.shape)


def flat(arrays: Arrays, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one.

    >>> flat({"a": {"b": 1, "c": 2}, "d": 3})
    {'a.b': 1, 'a.c': 2, 'd': 3}
    """
    found: dict[str, Any] = {}
    for name, value in arrays.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
