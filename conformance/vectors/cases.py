"""A vector as cases: one parameter each, with its own clock, so that a program needs no rules for clocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from adamcore.conformance.dtypes import DTYPES, from_bits
from adamcore.conformance.types import FloatArray

Json = dict[str, Any]
HYPER = ("b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay")
START = ("p0", "m0", "v0", "v_max0")  #: before the first step
STATE = ("p", "m", "v", "v_max")  #: after each step, exact and rounded once


class Case(NamedTuple):
    """One parameter through the steps of one vector; arrays of all steps have them one after the other."""

    dialect: str
    id: str
    flags: str  #: pitfalls, a space between them
    parameter: int
    steps: int
    size: int  #: the number of the parameter's elements
    hyper: tuple[float, ...]  #: the values of HYPER
    lr: list[float]  #: of each step
    t: list[int]  #: the clock of each update; the first is 1
    present: list[bool]  #: False: no gradient, and p, m and v stay bit for bit
    numbers: dict[str, str]
    """START, "g" and STATE as bit patterns; v_max is missing where the dialect keeps none."""
    bounds: dict[str, list[float]]  #: for each of STATE, the errors that are allowed


def cases(v: Json) -> Iterator[Case]:
    """Yield the cases of a vector."""
    for i, parameter in enumerate(v["params"]):
        count = len(parameter["bits"].split())
        start = v["start"][i] if v["start"] else {}
        zero = " ".join(["0" * (DTYPES[v["dtype"]].width // 4)] * count)
        kept = [name for name in STATE if name in v["steps"][0]]
        numbers = {"p0": parameter["bits"]} | {f"{k}0": start.get(k, zero) for k in STATE[1:]}
        for ours, name in (("g", "grads"), *zip(kept, kept, strict=True)):
            numbers[ours] = " ".join(step[name][i] or zero for step in v["steps"])
        yield Case(
            v["dialect"], v["id"], " ".join(v["flags"]), i, len(v["steps"]), count,
            tuple(float(v["hyper"].get(name, 0.0)) for name in HYPER),
            [float(step["lr"]) for step in v["steps"]],
            [step["t"][i] for step in v["steps"]],
            [step["grads"][i] is not None for step in v["steps"]],
            numbers,
            {name: [b for step in v["steps"] for b in step[f"{name}_bound"][i]] for name in kept},
        )  # fmt: skip


def values(packed: str, dtype: str) -> FloatArray:
    """Return the numbers of a string of bit patterns, in the dtype's carrier.

    >>> values("3f80 c000", "bfloat16")
    array([ 1., -2.], dtype=float32)
    """
    width = f"u{DTYPES[dtype].width // 8}"
    return from_bits(np.array([int(word, 16) for word in packed.split()], dtype=width), dtype)
