"""Clocks of PyTorch that stand on a CUDA device: ticked there, by one launch for all of them.

What comes of it is a tensor with a row of coefficients for each clock.  Nothing is read by the host.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from typing import Any

import torch

from adamcore.backends.kernels import cuda, cuda_coefficients
from adamcore.backends.kernels.cuda_coefficients import Ticking
from adamcore.backends.kernels.cuda_table import SMALL, padded
from adamcore.backends.torch import nvrtc
from adamcore.backends.torch.nvrtc import launch
from adamcore.config import AdamConfig
from adamcore.definition import Coefficients

PLAIN = (torch.Tensor, torch.nn.Parameter)
INFINITE = float("inf")
BYTES = {torch.float32: 4, torch.float64: 8}  #: of what the kernel reads a learning rate from


def plain(x: Any) -> bool:
    """Whether it is a tensor with memory of its own, none of a transformation."""
    return type(x) in PLAIN and not torch._C._functorch.is_functorch_wrapped_tensor(x)


def rate(lr: Any, device: torch.device) -> Any:
    """A learning rate that the kernel takes, a float or a tensor on the device; None for any other."""
    if plain(lr) and lr.numel() == 1:
        if lr.device == device and not nvrtc.seen(lr):
            return lr.detach() if lr.dtype in BYTES else None
        lr = float(lr) if nvrtc.seen(lr) else None
    if isinstance(lr, int) and not isinstance(lr, bool):
        lr = float(lr)
    return lr if type(lr) is float and 0.0 <= lr < INFINITE else None


def fit(clocks: Sequence[Any], products: Sequence[Any], device: torch.device, momentum: bool) -> bool:
    """Whether the kernel can tick these: different ones, on the device, in the dtypes that ``init`` gives."""
    if len(products) != len(clocks) * momentum:
        return False
    kinds = [*((x, torch.int32) for x in clocks), *((x, torch.float64) for x in products)]
    if not all(plain(x) and x.dtype is kind and x.numel() == 1 and x.device == device for x, kind in kinds):
        return False
    return len({x.data_ptr() for x in clocks}) == len(clocks)


def tick(
    ticking: Ticking, work: Any, lr: Any, clocks: Sequence[Any], products: Sequence[Any]
) -> torch.Tensor:
    """Tick clocks, and products of Dozat's schedule, in place: the rows, in the dtype ``work``."""
    device, dtype = clocks[0].device, getattr(torch, work)
    runtime = nvrtc.runtime(device)
    assert runtime is not None
    count, columns = len(clocks), 2 if products else 1
    words = SMALL if count * columns <= SMALL else runtime.words
    numbers = ticking.numbers
    kernel = runtime.kernel(ticking.text(work, words), "tick", device)
    at_device = isinstance(lr, torch.Tensor)
    beside = (
        (ctypes.c_double * len(numbers))(*numbers),
        ctypes.c_double(0.0 if at_device else lr),
        ctypes.c_void_p(lr.data_ptr() if at_device else None),
        ctypes.c_int(BYTES[lr.dtype] if at_device else 0),
    )
    with runtime.guard(device):
        rows = torch.empty(count, len(ticking.program.coefficients), dtype=dtype, device=device)
        for at in range(0, count, words // columns):
            some = slice(at, at + words // columns)
            table = array("q", [x.data_ptr() for x in (*clocks[some], *products[some])])
            n = len(table) // columns
            launch(
                kernel, -(-n // cuda.THREADS), padded(table, words),
                ctypes.c_int(n), ctypes.c_void_p(rows[at].data_ptr()), *beside,
            )  # fmt: skip
    return rows


def ticked(
    adam: AdamConfig, t: Any, product: Any, lr: Any, device: torch.device
) -> tuple[Any, Any, Any] | None:
    """One clock's next value, its product's, and the coefficients as 0-d tensors; nothing is modified.

    None if the clock is no such one.
    """
    products = [] if product is None else [product]
    lr = None if nvrtc.runtime(device) is None else rate(lr, device)
    if lr is None or not fit([t], products, device, adam.nesterov == "dozat"):
        return None
    ticking = cuda_coefficients.ticking(adam)
    clock, products = t.detach().clone(), [x.detach().clone() for x in products]
    [row] = tick(ticking, "float64", lr, [clock], products)
    found = dict(zip(ticking.program.coefficients, row.unbind(), strict=True))
    coefficients = Coefficients(*(found.get(name) for name in Coefficients._fields))
    return clock, (products or [None])[0], coefficients
