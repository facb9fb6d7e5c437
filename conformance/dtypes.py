"""Floating-point formats: rounding to them, bit patterns, ULP.

NumPy has no bfloat16.  So the values of a format are kept in its carrier, a NumPy dtype that holds
them all, and no other library is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from adamcore.conformance.types import FloatArray, Probe, Start

Bits = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Dtype:
    """A binary floating-point format."""

    name: str
    bits: int  #: significant bits
    smallest: int  #: exponent of the smallest subnormal
    top: int  #: exponent of the first power of two beyond the range
    width: int  #: bits of storage
    carrier: str  #: the NumPy dtype in which the values are kept
    arithmetic: str  #: the narrowest dtype in which a step may be computed (NUM.1)

    @property
    def unit(self) -> float:
        """The largest relative error of a rounding to a normal number."""
        return 2.0**-self.bits

    @property
    def half_subnormal(self) -> float:
        """Half the smallest subnormal: the largest absolute error of a rounding to a subnormal."""
        return 2.0 ** (self.smallest - 1)

    @property
    def largest(self) -> float:
        """The largest finite number."""
        return (2.0 - 2.0 ** (1 - self.bits)) * 2.0 ** (self.top - 1)

    @property
    def normal(self) -> float:
        """The smallest normal number."""
        return 2.0 ** (self.smallest + self.bits - 1)


DTYPES = {
    d.name: d
    for d in (
        Dtype("float64", 53, -1074, 1024, 64, "float64", "float64"),
        Dtype("float32", 24, -149, 128, 32, "float32", "float32"),
        Dtype("bfloat16", 8, -133, 128, 16, "float32", "float32"),
        Dtype("float16", 11, -24, 16, 16, "float16", "float32"),
    )
}


def arithmetic_of(*names: str) -> str:
    """Return the dtype in which NUM.1 asks a step to be computed, for these of parameters and moments.

    >>> arithmetic_of("bfloat16", "bfloat16")
    'float32'
    """
    return max((DTYPES[name].arithmetic for name in names), key=lambda n: DTYPES[n].bits)


def round_to(values: FloatArray, name: str) -> FloatArray:
    """Round float64 values to the nearest of a dtype, ties to even; the result is float64.

    >>> round_to(np.array([1 / 3, 1e39]), "bfloat16")
    array([0.33398438,        inf])
    """
    d = DTYPES[name]
    x = np.asarray(values, dtype=np.float64)
    if name == "float64":
        return x
    _, exponent = np.frexp(x)
    quantum = np.maximum(exponent - d.bits, d.smallest)
    with np.errstate(all="ignore"):
        result = np.ldexp(np.rint(np.ldexp(x, -quantum)), quantum)
        result = np.where(np.abs(result) >= 2.0**d.top, np.copysign(np.inf, x), result)
    return np.where(np.isfinite(x), result, x)


def round_float(x: float, name: str) -> float:
    """Round one number to the nearest of a dtype, ties to even."""
    return float(round_to(np.asarray(x, dtype=np.float64), name))


def to_carrier(values: FloatArray, name: str) -> FloatArray:
    """Round values to a dtype, complex ones part by part, and return them in its carrier."""
    carrier = np.dtype(DTYPES[name].carrier)
    if np.iscomplexobj(values):
        both = round_to(values.real, name) + 1j * round_to(values.imag, name)
        return np.asarray(both, dtype={"float32": "complex64", "float64": "complex128"}[carrier.name])
    return np.asarray(round_to(values, name), dtype=carrier)


def to_bits(values: FloatArray, name: str) -> Bits:
    """Return the bit patterns of values that the dtype holds exactly, as unsigned integers.

    >>> [hex(k) for k in to_bits(np.array([1.0, -2.0]), "bfloat16")]
    ['0x3f80', '0xc000']
    """
    x = np.asarray(values).astype(DTYPES[name].carrier)
    if name == "bfloat16":
        return (x.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return x.view(f"u{DTYPES[name].width // 8}")


def from_bits(bits: Bits, name: str) -> FloatArray:
    """Return the values of bit patterns, in the carrier of the dtype."""
    if name == "bfloat16":
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return bits.astype(f"u{DTYPES[name].width // 8}").view(DTYPES[name].carrier)


def ulp_of(size: FloatArray, name: str) -> FloatArray:
    """Return one unit in the last place of a dtype at each element of ``size``."""
    d = DTYPES[name]
    _, exponent = np.frexp(np.asarray(size, dtype=np.float64))
    return np.asarray(np.ldexp(1.0, np.maximum(exponent - d.bits, d.smallest)))


def is_in_range(probe: Probe, name: str) -> bool:
    """True if no number of a probe becomes 0 or infinite in a dtype."""
    arrays = [*probe.params, *(g for step in probe.steps for g in step.grads if g is not None)]
    arrays += [x for start in probe.start for x in (start.m, start.v, start.v_max)]

    def kept(x: FloatArray) -> bool:
        rounded = round_to(x, name)
        return bool((np.isfinite(x) == np.isfinite(rounded)).all() and ((x == 0) == (rounded == 0)).all())

    return all(map(kept, arrays))


def round_probe(probe: Probe, name: str, m: str | None = None, v: str | None = None) -> Probe:
    """Return the probe with parameters, gradients and first states rounded to a dtype.

    Args:
        probe: the probe.
        name: the dtype.
        m, v: the dtypes of the first states' moments, if they are others.
    """

    def into(x: FloatArray, name: str = name) -> FloatArray:
        if np.iscomplexobj(x):
            return round_to(x.real, name) + 1j * round_to(x.imag, name)
        return round_to(x, name)

    return replace(
        probe.each_gradient(into),
        params=tuple(into(p) for p in probe.params),
        start=tuple(
            Start(s.t, into(s.m, m or name), into(s.v, v or name), into(s.v_max, v or name))
            for s in probe.start
        ),
    )
