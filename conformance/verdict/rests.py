"""What a state keeps of 16-bit parameters beside them, their *rests*: the values that both stand for.

A rest and its parameter have to belong together, to the bit (STORE.2 to STORE.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from adamcore.conformance.oracle.kept import STEP, disagreement, value_of
from adamcore.conformance.types import FloatArray, Run

if TYPE_CHECKING:
    from adamcore.storage.policies import PStorage


APART = "p and what the state keeps of it do not belong together"


def has_rests(run: Run) -> bool:
    """True if the rests of the parameters can be read after every step."""
    return bool(run.rests) and len(run.rests) == len(run.params) and all(run.rests)


def values_of(policy: PStorage, run: Run, dtype: str) -> list[list[FloatArray]]:
    """Return the values that the parameters and their rests stand for after each step (STORE.1)."""

    def value(p: FloatArray, rest: FloatArray | None) -> FloatArray:
        fits = rest is None or np.shape(p) == np.shape(rest)
        return value_of(policy, p, rest, dtype) if fits else p

    pairs = zip(run.params, run.rests, strict=True)
    return [[value(p, rest) for p, rest in zip(after, rests, strict=True)] for after, rests in pairs]


def rest_problem(policy: PStorage, run: Run, dtype: str) -> str:
    """Return where a parameter and its rest do not belong together (STORE.2 to STORE.5), or nothing."""
    for s, (after, rests) in enumerate(zip(run.params, run.rests, strict=True), start=1):
        for i, (p, rest) in enumerate(zip(after, rests, strict=True)):
            if rest is None:
                continue
            if np.shape(rest) != np.shape(p):
                return (
                    f"{APART}: the rest of parameter {i} has shape {np.shape(rest)}, expected {np.shape(p)}"
                )
            if rest.dtype.kind != ("i" if policy in STEP else "f"):
                return f"{APART}: the rest of parameter {i} is in {rest.dtype}"
            if apart := disagreement(policy, p, rest, dtype):
                where, what = apart
                return f"{APART}: parameter {i}{list(where)} after step {s}: {what}"
    return ""
