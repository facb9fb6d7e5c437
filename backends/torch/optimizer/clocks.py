"""The clocks of an optimizer: int32 tensors in its state, PyTorch's float32 in a ``state_dict``."""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from adamcore.backends.torch.optimizer.group_keys import Group
from adamcore.coefficients import MAX_CLOCK
from adamcore.errors import ClockError

EXACT = 2**24  #: the last whole number to which float32 counts


def new_clock(p: torch.Tensor, group: Group, value: int = 0) -> torch.Tensor:
    """Return an int32 clock, on the parameter's device if the group is capturable or fused, else on the CPU.

    A fused step may be skipped by a number that stands on the device.
    """
    there = group["capturable"] or group.get("fused")
    return torch.full((), value, dtype=torch.int32, device=p.device if there else "cpu")


def new_product(clock: torch.Tensor, value: float = 1.0) -> torch.Tensor:
    """Return the product of Dozat's schedule: 0-d, on its clock's device, float64 if the device has it."""
    dtype = torch.float32 if clock.device.type == "mps" else torch.float64
    return torch.full((), value, dtype=dtype, device=clock.device)


def number_in(x: Any, start: float) -> Any:
    """Return the number in a tensor, or ``start`` for a fake tensor, which has no value."""
    return start if isinstance(x, FakeTensor) else x.item() if isinstance(x, torch.Tensor) else x


def write_clock(clock: torch.Tensor) -> torch.Tensor:
    """Return a clock as PyTorch writes it: float32, or int64 above 2**24, where float32 stops counting."""
    return clock.to(torch.float32 if number_in(clock, 0) <= EXACT else torch.int64)


def read_clock(step: Any, where: str) -> int:
    """Return the clock in a checkpoint as an int; ``where`` names it in messages.

    Raises:
        ClockError: the clock is no whole number from 0 to 2**31 - 1, or is above the largest number to
            which its dtype counts.

    >>> read_clock(torch.tensor(3.0), "step")
    3
    >>> read_clock(torch.tensor(2.0**25), "step")
    Traceback (most recent call last):
    ...
    adamcore.errors.ClockError: step is 33554432.0 in torch.float32, which can't count above 16777216: ...
    """
    if hasattr(step, "__array__") and not isinstance(step, torch.Tensor):
        step = torch.as_tensor(step.__array__())  # a number or an array of NumPy's
    if isinstance(step, FakeTensor):
        return 0  # it has no value
    value: Any = step
    if isinstance(step, torch.Tensor):
        if step.numel() != 1 or step.dtype.is_complex:
            raise ClockError(f"{where} has shape {tuple(step.shape)} and {step.dtype}: expected one number")
        value = step.item()
        limit = 2.0 / torch.finfo(step.dtype).eps if step.dtype.is_floating_point else MAX_CLOCK
        if value > limit:
            raise ClockError(
                f"{where} is {value} in {step.dtype}, which can't count above {int(limit)}: the number of "
                "updates is lost; give the right one as an int"
            )
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_CLOCK:
        raise ClockError(f"{where} is {value!r}: expected a whole number from 0 to {MAX_CLOCK}")
    if value != int(value):
        raise ClockError(f"{where} is {value!r}: expected a whole number")
    return int(value)
