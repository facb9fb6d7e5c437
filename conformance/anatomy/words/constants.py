"""What to say of several hyperparameters that count as a number each, whatever they are given."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import EXPERIMENTS
from adamcore.conformance.anatomy.facts import NEAR, Facts, near
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.sweeps import SWEEPS
from adamcore.conformance.anatomy.texts import number

MEASURED = ("b1", "b2", "eps")  #: the hyperparameters whose number the equations tell


def constants(d: Difference) -> Words | None:
    """Return the words on a claim in which several hyperparameters are constants, or None if it is not that.

    A single one has words of its own.  Several disturb the readings of each other, so that they are told by
    the claim: with these numbers in their place it makes every move that the candidate made.
    """
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None or r.why_not("main"):
        return None
    fixed = measured_numbers(r)
    if len(fixed) < 2:
        return None
    probes = {n: r.probes[n] for n in (*EXPERIMENTS, *SWEEPS) if n in r.probes and not r.why_not(n)}
    replayed = readings_of_claim(claim, {n: p.with_hyper(**fixed) for n, p in probes.items()}, r.dtype)
    if not all(moves_alike(r, replayed, name) for name in probes):
        return None
    first, *others = (f"{name} as {number(value)}" for name, value in fixed.items())
    text = " and ".join([first.replace(" as", " counts as"), *others])
    return "hyperparameters", "LR.3", f"whatever is given, {text}"


def measured_numbers(r: Readings) -> dict[str, float]:
    """Return the hyperparameters that count as another number than the one given, and that number."""
    facts = Facts(r)
    found = {"b1": facts.b1, "b2": facts.b2, "eps": float(facts.eps_factor[0]) * r.hyper("eps")}
    short = {name: float(number(value)) for name, value in found.items() if value is not None}
    return {
        name: value
        for name, value in short.items()
        if 0.0 <= value < (np.inf if name == "eps" else 1.0) and not near(value, r.hyper(name))
    }


def moves_alike(r: Readings, other: Readings, name: str) -> bool:
    """True if two readings have the same moves in an experiment, of every array."""
    if other.why_not(name):
        return False
    for i in range(len(r.probes[name].params)):
        got, want = r.moves(name, i), other.moves(name, i)
        off = np.abs(got.value - want.value)
        if not np.all(off <= got.error + want.error + NEAR * np.abs(want.value)):
            return False
    return True
