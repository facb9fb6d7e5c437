"""How exactly a candidate computes: digits of its numbers, and differences too fine for the other parts."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.experiments import CONSTANT, LARGE, TINY, T, experiment
from adamcore.conformance.anatomy.measured import Measured, join
from adamcore.conformance.anatomy.ordinary import joined
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.types import FloatArray, Probe

FINE = 2.0**-36  #: values that agree to within this relative distance are the same in double precision
DIGIT_STEPS = 3  #: the steps of the experiment "digits"
ODD_LR = "lr=0.333333"  #: the run of a sweep whose lr no format has, under decay
FORMATS = {8: "bfloat16", 11: "float16", 24: "float32"}  #: by the number of their significant bits


def digits(values: FloatArray) -> int:
    """Return the number of significant bits that the longest of these numbers has.

    >>> digits(np.array([0.75, 5.0])), digits(np.array([1 / 3]))
    (3, 53)
    """
    whole = np.ravel(values)
    whole = whole[np.isfinite(whole) & (whole != 0)]
    fractions = (np.abs(np.frexp(whole)[0]) * 2.0**53).astype(np.int64)
    lowest = (fractions & -fractions).astype(np.float64)
    return int(53 - np.min(np.log2(lowest), initial=53.0))


def finely(measured: Measured) -> Measured:
    """Return the values, to be compared in double precision."""
    return Measured(measured.value, measured.error, FINE)


def precision(r: Readings) -> dict[str, Measured]:
    """Return the numbers whose last digits tell how they were formed; none of a run in float32."""
    if r.dtype != "float64" or r.why_not("main"):
        return {}
    k, q, last = r.linear, r.roots, T - 1
    after = np.concatenate([r.positions(name)[1:].ravel() for name in ("linear", "normal")])
    first = np.concatenate([r.positions(name)[1] for name in ("linear", "normal")])
    values = {
        "digits of p": short(after),
        "digits of the update": short(first),
        "b1": join([k[last, s] / k[last, s + 1] for s in range(last - 1)]),
        "b2": join([q[last, s] / q[last, s + 1] for s in range(1, last)]),
        "first sums": r.first_sums,
        "second sums": r.second_sums,
        "newest": join([r.normal[t, t] for t in range(T)]),
        "eps": r.curve("response")[:40],
        "lr": r.normal[:, CONSTANT],
    }
    if not r.why_not("decay"):
        values["decay"] = r.moves("decay")[:, 2]
    if ODD_LR in r.probes and not r.why_not(ODD_LR):
        moved = r.moves(ODD_LR)[0]
        values["decay by an odd lr"] = moved[0] / (moved[2] - moved[0])
    if "digits" in r.probes and not r.why_not("digits"):
        values["odd parameters"] = Measured(r.positions("digits")[1:].ravel())
        values["odd gradients"] = joined([r.moves("digits", i) for i in (1, 2)])
    return {name: finely(value) for name, value in values.items()}


def digits_of_arrays() -> Probe:
    """Parameters and gradients that no shorter format has: 53 bits each."""
    odd = 1.0 / np.array([3.0, 5.0, 7.0, 11.0, 13.0, 19.0, 23.0])
    zero = np.zeros(len(odd))
    sizes = [1.0, *[-0.3] * (DIGIT_STEPS - 1)]
    rows = [[zero, size * TINY * odd, size * LARGE * odd[::-1]] for size in sizes]
    return experiment("digits", "parameters and gradients of 53 bits", [odd, zero, zero], rows)


def scatter(r: Readings, claimed: Readings) -> float:
    """Return by how much relative differences from the claim vary over elements, in a first step.

    A coefficient that is rounded changes all elements alike; an array that is rounded does not.
    """
    if r.dtype != "float64" or "digits" not in r.probes or r.why_not("digits"):
        return 0.0
    with np.errstate(all="ignore"):
        off = [r.moves("digits", i).value[0] / claimed.moves("digits", i).value[0] - 1.0 for i in (1, 2)]
    return max(float(np.max(each) - np.min(each)) for each in off)


def short(values: FloatArray) -> Measured:
    """Return the bits of a shorter format if these numbers have as many, else 53."""
    bits = digits(values)
    return Measured(next((float(n) for n in FORMATS if n - 1 <= bits <= n), 53.0))
