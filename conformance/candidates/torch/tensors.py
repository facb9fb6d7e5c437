"""NumPy arrays as tensors and back, and the devices of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.base import describe, numpy_dtype
from adamcore.conformance.errors import UnavailableError
from adamcore.conformance.types import FloatArray


def as_tensor(array: FloatArray, device: str) -> Any:
    """Return a tensor with the values and the strides of a NumPy array that nobody else uses."""
    if array.size > 1 and 0 in array.strides:
        return from_numpy(array[:1].copy()).to(device).expand(array.shape)
    if array.flags.writeable and (array.base is not None or not array.flags.c_contiguous):
        return from_numpy(array).to(device)
    return from_numpy(array.copy()).to(device)


def from_numpy(array: FloatArray) -> Any:
    """Return a tensor in the memory of a NumPy array, whose bfloat16 PyTorch does not know."""
    import torch

    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def to_numpy(tensor: Any) -> np.ndarray[Any, Any]:
    """Return the tensor's values in memory of their own."""
    import torch

    here = tensor.detach().resolve_conj().cpu()
    if here.dtype is torch.bfloat16:
        return np.array(here.view(torch.int16).numpy()).view(numpy_dtype("bfloat16"))
    return np.array(here.numpy())


def torch_device(device: str | None) -> str:
    """Return the device; None means the CPU, and ``cuda`` means torch's current GPU.

    Raises:
        UnavailableError: torch has no such device.
    """
    import torch

    device = device or "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UnavailableError(
            f"torch {torch.__version__} has no device {device!r}: {describe(error)}"
        ) from error
    return device


def device_name(device: str) -> str:
    """Return the device for the report, with the GPU's name if it is one."""
    import torch

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else ""
    return f"{device} ({name})" if name else device
