"""What is told by a replay: with one change the claim makes every move that the candidate made.

Such a change disturbs the readings of several parts, and so it is looked for before the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import EXPERIMENTS
from adamcore.conformance.anatomy.facts import NEAR, Facts, constant, near
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.sweeps import SWEEPS
from adamcore.conformance.anatomy.texts import number
from adamcore.conformance.types import Probe

USUAL_B1 = 0.9  #: what is tried where p decays in every run, so that b1 is not to be read
GIVEN = "clock-5"  #: the experiment from a given state, whose moments no gradient has made


def constants(d: Difference) -> Words | None:
    """Return the words on several hyperparameters that count as a number each, whatever they are given.

    A single one has words of its own.
    """
    r = d.anatomy.readings
    if d.anatomy.claim is None or r.why_not("main"):
        return None
    facts = Facts(r)
    found = {"b1": facts.b1, "b2": facts.b2, "eps": float(facts.eps_factor[0]) * r.hyper("eps")}
    tried = [found]
    if (rate := always_decays(d)) is not None:  # beside it the weights of m are not to be read
        decay = {**found, "weight_decay": rate / r.hyper("lr")}
        tried = [decay | {"b1": USUAL_B1}, decay | {"b1": r.hyper("b1")}]
    fixed = next((some for values in tried if (some := not_as_given(r, values)) and fits(d, some)), None)
    if fixed is None:
        return None
    if fixed.get("b1") == fixed.get("b2") == 0.0:
        return "moments", "MOM.1", "each step is a first one: no gradient counts in a later step"
    first, *others = (f"{name} as {number(value)}" for name, value in fixed.items())
    text = " and ".join([first.replace(" as", " counts as"), *others])
    return "hyperparameters", "LR.3", f"whatever is given, {text}"


def not_as_given(r: Readings, values: Mapping[str, float | None]) -> dict[str, float]:
    """Return the values that hyperparameters may have, rounded, unless they are those that were given."""
    known = {
        name: float(number(value))
        for name, value in values.items()
        if value is not None and 0.0 <= value < (1.0 if name in ("b1", "b2") else np.inf)
    }
    given = r.probes["main"].hyper
    return {name: value for name, value in known.items() if not near(value, given.get(name, 0.0))}


def fits(d: Difference, fixed: Mapping[str, float]) -> bool:
    """True if several hyperparameters have these values, whatever is given."""
    return len(fixed) > 1 and is_replayed(d, lambda probe: probe.with_hyper(**fixed))


def always_decays(d: Difference) -> float | None:
    """Return the share of p that decays without weight decay if it is the same in all steps, or None."""
    [decay] = [part for part in d.anatomy.parts if part.name == "decay"]
    if "without decay" not in decay.differs:
        return None
    return constant(np.ravel(decay.values["without decay"].value))


def scaled_gradients(d: Difference) -> Words | None:
    """Return the words on gradients that are multiplied by one number before all else, or None.

    Without decay in the gradient that is the same as an eps divided by this number, but for moments that no
    gradient has made: a state that is given keeps its size.
    """
    r = d.anatomy.readings
    if d.part.name != "epsilon" or "in step" not in d.part.values or d.differs("power", "bend"):
        return None
    got, want = d.values("in step")
    times = want[0] / got[0]
    if not np.isfinite(times) or times <= 0.0 or not near(got / want, 1.0 / times):
        return None
    times = float(number(times))

    if not is_replayed(d, lambda probe: probe.each_gradient(lambda g: times * g)):
        return None
    doubt = "" if GIVEN in r.probes and not r.why_not(GIVEN) else f", or eps {number(1.0 / times)} times"
    return "moments", "MOM.1", f"each gradient counts {number(times)} times{doubt}"


def power_of_gradient(steps: Callable[[float], Measured], moved: Measured, most: float) -> float:
    """Return the exponent of two of the gradient that makes a first step of this length.

    Args:
        steps: the steps that a gradient makes, the longer the larger it is.
        moved: the steps that it is to make.
        most: exponents are tried from ``-most`` to ``most``; beyond them, the end is returned.
    """
    low, high = -most, most
    for _ in range(60):
        middle = 0.5 * (low + high)
        less = abs(steps(2.0**middle).value[0]) < abs(moved.value[0])
        low, high = (middle, high) if less else (low, middle)
    return low


def is_replayed(d: Difference, change: Callable[[Probe], Probe]) -> bool:
    """True if the claim makes every move of the candidate once each experiment is changed so."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None:
        return False
    names = (*EXPERIMENTS, *SWEEPS, GIVEN)
    probes = {name: r.probes[name] for name in names if name in r.probes and not r.why_not(name)}
    other = readings_of_claim(claim, {name: change(probe) for name, probe in probes.items()}, r.dtype)
    return all(moves_alike(r, other, name) for name in probes)


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
