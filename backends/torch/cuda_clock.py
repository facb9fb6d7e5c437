"""Clocks of PyTorch on a CUDA device, ticked there by one launch for all of them.

The launch forms a tensor with a row of coefficients for each clock.  The host reads nothing.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from typing import Any

import torch

from adamcore.backends.kernels.cuda import kernel as cuda
from adamcore.backends.kernels.cuda.coefficients import ClockKernel, clock_kernel
from adamcore.backends.kernels.cuda.table import padded, room_for
from adamcore.backends.torch import nvrtc
from adamcore.backends.torch.nvrtc import launch
from adamcore.backends.torch.uniform import wrapped
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients
from adamcore.types import Array, Clock, Device

PLAIN = (torch.Tensor, torch.nn.Parameter)
INFINITE = float("inf")
PART = 64  #: 0-d tensors that share a storage, which is saved whole where one of them is
BYTES = {torch.float32: 4, torch.float64: 8}  #: of what the kernel reads a learning rate from


def plain(x: Any) -> bool:
    """True if ``x`` is a tensor with memory of its own, none of a transformation."""
    return type(x) in PLAIN and not wrapped(x)


def rate(lr: Any, device: Device) -> float | torch.Tensor | None:
    """Return a learning rate that the kernel takes, a float or a tensor on the device; None for any other."""
    if plain(lr) and lr.numel() == 1:
        if lr.device == device and not nvrtc.on_host(lr):
            return lr.detach() if lr.dtype in BYTES else None
        lr = float(lr) if nvrtc.on_host(lr) else None
    if isinstance(lr, int) and not isinstance(lr, bool):
        lr = float(lr)
    return lr if type(lr) is float and 0.0 <= lr < INFINITE else None


def fit(clocks: Sequence[Clock], products: Sequence[Array], device: Device, momentum: bool) -> bool:
    """True if the kernel can tick these: different ones, on the device, in the dtypes of ``Adam.init``."""
    if len(products) != len(clocks) * momentum:
        return False
    kinds = [*((x, torch.int32) for x in clocks), *((x, torch.float64) for x in products)]
    if not all(plain(x) and x.dtype is kind and x.numel() == 1 and x.device == device for x, kind in kinds):
        return False
    return len({x.data_ptr() for x in clocks}) == len(clocks)


def flag_fits(skip: Any, device: Device) -> bool:
    """True if the kernels can read whether a step is skipped: a float32 on their device, or None."""
    if skip is None:
        return True
    return plain(skip) and skip.dtype is torch.float32 and skip.numel() == 1 and skip.device == device


def tick(
    clock_kernel: ClockKernel,
    work: Any,
    lr: float | torch.Tensor,
    clocks: Sequence[Clock],
    products: Sequence[Array],
    skip: torch.Tensor | None = None,
) -> torch.Tensor:
    """Tick clocks, and the momentum products that go with them, in place.

    Args:
        clock_kernel: of the Adam whose clocks they are.
        work: the name of a dtype.
        lr: the learning rate.
        clocks, products: as :func:`fit` asks.
        skip: a number on the device; unless it is 0, no clock ticks, and the rows are not written.

    Returns:
        A row of coefficients for each clock, in the dtype named ``work``.
    """
    device, dtype = clocks[0].device, getattr(torch, work)
    runtime = nvrtc.runtime(device)
    assert runtime is not None
    count, columns = len(clocks), 2 if products else 1
    words = room_for(count * columns, runtime.words)
    numbers = clock_kernel.numbers
    kernel = runtime.kernel(clock_kernel.text(work, words), "tick", device)
    rest: tuple[Any, ...]
    if isinstance(lr, torch.Tensor):
        rest = ctypes.c_double(0.0), ctypes.c_void_p(lr.data_ptr()), ctypes.c_int(BYTES[lr.dtype])
    else:
        rest = ctypes.c_double(lr), ctypes.c_void_p(None), ctypes.c_int(0)
    skip_at = ctypes.c_void_p(None if skip is None else skip.data_ptr())
    constants = (ctypes.c_double * len(numbers))(*numbers)
    with runtime.guard(device):
        rows = torch.empty(count, len(clock_kernel.program.coefficients), dtype=dtype, device=device)
        for at in range(0, count, words // columns):
            part = slice(at, at + words // columns)
            table = array("q", [x.data_ptr() for x in (*clocks[part], *products[part])])
            n = len(table) // columns
            blocks, target = -(-n // cuda.THREADS), ctypes.c_void_p(rows[at].data_ptr())
            launch(kernel, blocks, padded(table, words), ctypes.c_int(n), target, constants, *rest, skip_at)
    return rows


def tick_copies(
    adam: AdamConfig, ts: Sequence[Clock], products: Sequence[Any], lr: Any, device: Device
) -> list[tuple[Clock, Any, Coefficients]] | None:
    """Return the next values of clocks and of their products, and the coefficients as 0-d tensors.

    Nothing is modified.  The coefficients are elements of one tensor, row after row.  None for clocks or a
    learning rate that the kernel does not take.
    """
    given = [x for x in products if x is not None]
    lr = None if nvrtc.runtime(device) is None else rate(lr, device)
    if lr is None or not fit(ts, given, device, adam.nesterov == "dozat"):
        return None
    if len(ts) > 1 and any(x.shape for x in (*ts, *given)):
        return None
    ticking = clock_kernel(adam)
    clocks, new = copies(ts), copies(given)
    values = tick(ticking, "float64", lr, clocks, new).flatten().unbind()
    names = ticking.program.coefficients
    rows = [
        dict(zip(names, values[at : at + len(names)], strict=True))
        for at in range(0, len(values), len(names))
    ]
    each = [Coefficients(*map(row.get, Coefficients._fields)) for row in rows]
    return list(zip(clocks, new or [None] * len(clocks), each, strict=True))


def copies(xs: Sequence[Array]) -> list[Array]:
    """Return copies of 0-d tensors, a few of which share memory, so that few operations make them."""
    if len(xs) == 1:
        return [xs[0].detach().clone()]
    parts = [xs[at : at + PART] for at in range(0, len(xs), PART)]
    return [x for part in parts for x in torch.stack([x.detach() for x in part]).unbind()]
