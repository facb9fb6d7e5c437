"""Clocks from the running powers of b1 and b2, which some libraries keep instead of a clock."""

from __future__ import annotations

import math

import numpy as np

from adamcore.adam import Adam
from adamcore.coefficients import MAX_CLOCK
from adamcore.errors import CheckpointError

SMALLEST = 2.0**-120  #: a smaller power in float32 may have lost digits


def clock_of(adam: Adam, power1: float, power2: float, where: str) -> int:
    """Return the number of updates t from ``b1**(t+1)`` and ``b2**(t+1)``, running products in float32.

    A product of t factors has up to t+1 roundings.  A power counts only if they leave less than half a step
    of doubt about t, and both powers must give the same t.

    Raises:
        CheckpointError: neither power tells t, or they contradict each other, or b1 or b2.

    Example:
        >>> clock_of(Adam(), 0.9**8, 0.999**8, "w")
        7
    """
    said: dict[str, int] = {}
    for name, b, power in (("b1", adam.b1, power1), ("b2", adam.b2, power2)):
        if not 0.0 < b < 1.0 or not math.isfinite(power) or power < SMALLEST:
            continue
        log = math.log(float(np.float32(b)))
        t = math.log(power) / log - 1.0
        doubt = (abs(t) + 2.0) * 2.0**-24 / abs(log) + 1e-3
        if doubt >= 0.5:
            continue
        if abs(t - round(t)) > doubt or round(t) < 0:
            raise CheckpointError(
                f"{where}: the power of {name} is {power!r}, which no whole number of steps makes of "
                f"{b!r}: give the {name} it was trained with (--set {name}=...)"
            )
        said[name] = round(t)
    if not said:
        raise CheckpointError(
            f"{where}: the powers {power1!r} and {power2!r} no longer tell the clock (underflow, or too many "
            "roundings): give it (t=..., on the command line --t N)"
        )
    if len(set(said.values())) > 1:
        raise CheckpointError(
            f"{where}: the power of b1 says t={said['b1']}, that of b2 t={said['b2']}: give the b1 and b2 "
            "it was trained with"
        )
    return said.popitem()[1]


def powers_of(adam: Adam, t: int) -> tuple[float, float]:
    """Return both powers after ``t`` updates, each rounded once to float32.

    Raises:
        CheckpointError: ``t`` is outside the clock's range.
    """
    if not 0 <= t <= MAX_CLOCK:
        raise CheckpointError(f"t={t}: expected 0 to {MAX_CLOCK}")
    return float(np.float32(adam.b1 ** (t + 1))), float(np.float32(adam.b2 ** (t + 1)))
