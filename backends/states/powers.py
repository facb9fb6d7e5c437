"""Clocks from the running powers of b1 and b2, which some libraries keep instead of a clock; their names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np

from adamcore.adam import Adam
from adamcore.backends.states.named import Array
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


POWERS = ("tf1", "paddle", "tinygrad")  #: the layouts with running powers of b1 and b2 in place of a clock
PADDLE = re.compile(r"(.+?)(?:_fp32_master_\d+)?_(moment1|moment2|moment2_max|beta[12]_pow_acc)_\d+")


def plain_paddle(flat: Mapping[str, Array]) -> Mapping[str, Array]:
    """Return Paddle's arrays under the names that they have for a process' first optimizer.

    A parameter of another dtype than float32 may have a master weight, after which its moments are named.

    Raises:
        CheckpointError: two arrays have the same name then.

    >>> list(plain_paddle({"linear_0.w_0_fp32_master_0_moment1_1": np.zeros(2)}))
    ['linear_0.w_0_moment1_0']
    """
    found: dict[str, Array] = {}
    for key, x in flat.items():
        match = PADDLE.fullmatch(key)
        name = f"{match[1]}_{match[2]}_0" if match else key
        if name in found:
            raise CheckpointError(f"{key!r} and another array are both {name!r}: expected one optimizer's")
        found[name] = x
    return found


def tf1_powers(flat: Mapping[str, Array], k: int) -> list[str]:
    """Return the names of all running powers of b1 (k=1) or b2 (k=2) of TensorFlow 1, in any scope.

    >>> tf1_powers({"beta1_power": np.zeros(()), "gan/beta1_power_1": np.zeros(())}, 1)
    ['beta1_power', 'gan/beta1_power_1']
    """
    return [key for key in flat if re.fullmatch(rf"(.*/)?beta{k}_power(_\d+)?", key)]
