"""What to say of the first or the last of several arrays, if all others are stepped as claimed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import EXPERIMENTS
from adamcore.conformance.anatomy.facts import near
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.sweeps import SWEEPS
from adamcore.conformance.anatomy.texts import number
from adamcore.conformance.types import FloatArray, Probe


def one_of_several(d: Difference) -> Words | None:
    """Return the words on the first or the last of several arrays, if nothing else is wrong, or None.

    All others are stepped as claimed, and so is an array without others.  Its steps have another length, or
    its gradients count as others.  Experiments with decay are left out: what decays of p depends on where the
    steps before have left it.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return None
    names = [name for name in (*EXPERIMENTS, *SWEEPS) if name in r.probes and not r.why_not(name)]
    names = [name for name in names if not r.probes[name].hyper.get("weight_decay")]
    several = [name for name in names if len(r.probes[name].params) > 1]
    for place, which in ((0, "first"), (-1, "last")):
        if not several or not all(are_others_as_claimed(r, claimed, name, place) for name in names):
            continue
        got, want = (
            np.concatenate([moves_at(each, name, place) for name in several]) for each in (r, claimed)
        )
        moved = np.isfinite(got) & np.isfinite(want) & (got != 0.0) & (want != 0.0)
        if not moved.any():
            continue
        times = got[moved] / want[moved]
        # of a factor of the gradient, the steps far below eps show all
        most = float(times[np.argmax(np.abs(np.log(np.abs(times))))])
        if near(most, 1.0):
            continue
        if near(got, most * want):
            text = f"each step of the {which} of several arrays is {number(most)} times as long as claimed"
            is_made_often = most > 1.5 and near(most, np.round(most))
            return "moments" if is_made_often else "layout", "STEP.1", f"{text}; alone it is not"
        if is_of_gradient(d, several, place, most):
            text = f"each gradient of the {which} of several arrays counts {number(most)} times"
            return "moments", "MOM.1", f"{text}; alone it counts once"
    return None


def moves_at(r: Readings, name: str, place: int) -> FloatArray:
    """Return the moves of the array at a place of an experiment, in one row."""
    return np.ravel(r.moves(name, range(len(r.probes[name].params))[place]).value)


def are_others_as_claimed(r: Readings, claimed: Readings, name: str, place: int) -> bool:
    """True if all arrays of an experiment are stepped as claimed, or all but that at a place of several."""
    every = range(len(r.probes[name].params))
    others = [i for i in every if len(every) == 1 or i != every[place]]
    return all(r.moves(name, i).all_equal(claimed.moves(name, i)) for i in others)


def is_of_gradient(d: Difference, names: list[str], place: int, share: float) -> bool:
    """True if the claim makes the moves at a place once gradients are multiplied by this number there."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None:
        return False
    probes = {name: with_share(r.probes[name], place, float(number(share))) for name in names}
    other = readings_of_claim(claim, probes, r.dtype)
    return all(near(moves_at(r, name, place), moves_at(other, name, place)) for name in names)


def with_share(probe: Probe, place: int, share: float) -> Probe:
    """Return the probe with the gradients of the parameter at a place multiplied by this number."""
    steps = []
    for step in probe.steps:
        grads = list(step.grads)
        g = grads[place]
        grads[place] = None if g is None else share * g
        steps.append(replace(step, grads=tuple(grads)))
    return replace(probe, steps=tuple(steps))
