"""The arithmetic in which coefficients are formed, on the host and inside a traced program (rule NUM.4).

``1 - b**t`` loses its leading digits to cancellation: formed as written, it is up to 1854 ULP off in
float64 and over a thousand in float32.  Here it is formed as ``-expm1(t * log(b))``, with ``log(b)``
split into ``high + low`` so that ``t * high`` is exact.  Then only the roundings of expm1 are left.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from typing import Any

from adamcore.definition import Number
from adamcore.types import Array, Device, DType

MAX_CLOCK = 2**31 - 1  #: the last value of a clock, at which it stays (CLK.3)
SERIES = 12  #: the terms of the exponential series that count in float32 for -1 < x < 0


# A dictionary instead of functools.lru_cache, of which torch.compile warns.
_logs: dict[tuple[float, int], tuple[float, float]] = {}


def split_log(b: float, bits: int) -> tuple[float, float]:
    """Return ``log(b)`` as ``high + low``, where high has at most ``bits`` significant bits.

    >>> high, low = split_log(0.999, 22)
    >>> high + low == math.log(0.999)
    True
    """
    known = _logs.get((b, bits))
    if known is not None:
        return known
    if b == 0:
        return -math.inf, 0.0
    with localcontext(prec=60):
        exact = Decimal(b).ln()
        mantissa, exponent = math.frexp(float(exact))
        high = math.ldexp(round(math.ldexp(mantissa, bits)), exponent - bits)
        low = float(exact - Decimal(high))
    if len(_logs) >= 256:
        _logs.clear()
    _logs[b, bits] = high, low
    return high, low


class Host:
    """Python's float64, for a clock and a learning rate that the host knows.

    ``1 - b`` and ``1 - b**t`` are within 1.5 ULP of exact in float64.  In float32 and narrower dtypes
    they are within 0.5 ULP, since they are rounded once, when they meet the array.

    >>> Host().complement_power(0.999, 2), 1 - 0.999**2
    (0.0019990000000000016, 0.001998999999999973)
    """

    def number(self, value: float) -> float:
        return value

    def sqrt(self, x: float) -> float:
        return math.sqrt(x)

    def power(self, base: float, k: int, rate: float) -> float:
        return math.pow(base, k * rate)

    def successor(self, t: int) -> int:
        return min(t + 1, MAX_CLOCK)

    def complement(self, b: float) -> float:
        return 1.0 - b

    def complement_power(self, b: float, t: int) -> float:
        high, low = split_log(b, 22)  # t < 2**31, so t*high is exact
        e = self.expm1(t * high)
        return -(e + (1.0 + e) * self.expm1(t * low))

    def expm1(self, x: float) -> float:
        return math.expm1(x)

    def keep(self, kept: float, weight: float) -> float | None:
        return None if weight <= 0.5 else kept


class Given:
    """A hyperparameter that only the program knows, as a 0-d array.

    It is true in a boolean context, so that the definition forms the term of a hyperparameter that
    is not 0.
    """

    def __init__(self, value: Array) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Given"


class Traced:
    """0-d arrays of a library, for a clock or a hyperparameter that only the program knows.

    Args:
        xp: the array namespace.
        dtype: the floating dtype of the coefficients: float64 if the library has it, else float32.
            In float32 they are within 1.5 ULP of exact, and within 4 ULP if b is :class:`Given`.
        device: where the arrays are.
    """

    def __init__(self, xp: Any, dtype: DType, device: Device = None) -> None:
        self.xp, self.dtype, self.device = xp, dtype, device
        self.bits = 22 if xp.finfo(dtype).bits == 64 else 12

    def number(self, value: Any) -> Number:
        value = value.value if isinstance(value, Given) else value
        return self.xp.asarray(value, dtype=self.dtype, device=self.device)

    def sqrt(self, x: Number) -> Number:
        return self.xp.sqrt(x)

    def power(self, base: float, k: Number, rate: float | Given) -> Number:
        if isinstance(rate, Given):
            return self.xp.exp(self.xp.astype(k, self.dtype) * (self.number(rate) * math.log(base)))
        return self.xp.exp(self.xp.astype(k, self.dtype) * (rate * math.log(base)))

    def successor(self, t: Number) -> Number:
        return self.xp.where(t < MAX_CLOCK, t + 1, t)

    def complement(self, b: float | Given) -> Number:
        return 1.0 - self.number(b) if isinstance(b, Given) else self.number(1.0 - b)

    def complement_power(self, b: float | Given, t: Number) -> Number:
        if isinstance(b, Given):
            x = self.xp.astype(t, self.dtype) * self.xp.log(self.number(b))
            return -self.xp.expm1(x) if self.bits == 22 else self.complement_exp(x)
        if b == 0:
            return self.number(1.0)
        high, low = split_log(b, self.bits)
        if self.bits == 22:
            real = self.xp.astype(t, self.dtype)
            e = self.xp.expm1(real * high)
            return -(e + (1.0 + e) * self.xp.expm1(real * low))
        # float32: t*log(b) = x + rest, x rounded from two exact products.
        t1, t0 = (self.xp.astype(part, self.dtype) for part in (t // 4096, t % 4096))
        x1, x0 = t1 * (4096.0 * high), t0 * high
        x = x1 + x0
        return self.complement_exp(x, (x0 - (x - x1)) + (t1 * (4096.0 * low) + t0 * low))

    def complement_exp(self, x: Number, rest: Number | float = 0.0) -> Number:
        """Return ``1 - exp(x + rest)`` in float32, for x <= 0 and a small rest.

        Between -1 and 0, XLA's own expm1 is 5 ULP off; the series is less than 1 ULP off.
        """
        near: Number = 1.0 / math.factorial(SERIES)
        for k in range(SERIES - 1, 1, -1):
            near = near * x + 1.0 / math.factorial(k)
        tail = x * x * near  # exp(x) = 1 + x + tail
        near = -(x + (tail + rest * (1.0 + x + tail)))
        return self.xp.where(x > -1.0, near, 1.0 - self.xp.exp(x) * (1.0 + rest))

    def keep(self, kept: Number, weight: Number) -> Number | None:
        if isinstance(kept, float) and kept < 0.5:  # a known number: as on the host
            return self.number(kept)
        return None
