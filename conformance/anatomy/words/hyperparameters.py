"""What to say of a far value of a hyperparameter, or of a precision, that is not as claimed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import POWERS
from adamcore.conformance.anatomy.facts import NEAR, near
from adamcore.conformance.anatomy.precision import FINE, FORMATS, scatter
from adamcore.conformance.anatomy.readings import readings_of_claim
from adamcore.conformance.anatomy.sweeps import SWEEPS, counts_as
from adamcore.conformance.anatomy.texts import number
from adamcore.conformance.anatomy.words.decay import decay_rule
from adamcore.conformance.types import FloatArray, Probe

SLIGHT = 2e-3  #: relative differences below this are a matter of how exactly coefficients are formed


def hyperparameters(d: Difference) -> Words:
    name = d.part.differs[0]
    sweep, claim = SWEEPS[name], d.anatomy.claim
    got = d.part.values[name].value
    probe = d.anatomy.readings.probes[name]
    found = None if claim is None else counts_as(claim, sweep, probe, got, d.anatomy.readings.dtype)
    if found is None and (words := cut(d, name, probe)):
        return words
    if found is None and sweep.name == "lr" and stands_still_after_first(d, name):
        text = f"with {name} the first step is as claimed, and then nothing moves any more"
        return "schedule", "LR.1", f"{text}: a step that moves little is the last one"
    if found is None and sweep.name == "lr" and is_of_decay(d, name):
        return "decay", decay_rule(d), f"with {name} elements decay by another share than claimed"
    if found is None and sweep.name in ("b1", "b2") and (steps := uncorrected_steps(d, probe, got)):
        text = f"with {name} a correction is left out, though in no other steps than"
        return "bias_correction", "BC.1", f"{text} {', '.join(map(str, steps))}"
    if found is None and (off := d.deviation(name)) < SLIGHT:
        return "coefficients", "NUM.4", f"with {name} a step is off by up to {number(off)}"
    what = f"{sweep.name}={number(sweep.value)}"
    rules = {"lr": "LR.1", "b1": "MOM.1", "b2": "MOM.2", "eps": "EPS.1", "weight_decay": "DEC.1"}
    rule = rules.get(sweep.name, "EPS.5")
    if found is None or sweep.name == "eps_root":
        area = {"eps": "epsilon", "eps_root": "epsilon", "weight_decay": "decay"}.get(
            sweep.name, "hyperparameters"
        )
        others = [n for n, other in SWEEPS.items() if other.name == sweep.name and n in d.part.values]
        if set(others) <= set(d.part.differs):
            return area, rule, f"with any {sweep.name} steps are not as claimed"
        bad = "not as claimed, though they are" if np.isfinite(got).all() else "NaN or infinite, though not"
        return area, rule, f"with {what} steps are {bad} with other values"
    power = (
        sweep.name == "eps"
        and 0 < sweep.value != found > 0
        and near(np.log(found) / np.log(sweep.value), 2.0)
    )
    return "epsilon" if power else "hyperparameters", rule, f"{what} counts as {number(found)}"


def stands_still_after_first(d: Difference, name: str) -> bool:
    """True if the first step is as claimed, and no later one moves anything."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return False
    first, later = r.moves(name)[0], r.moves(name).value[1:]
    return first.all_equal(claimed.moves(name)[0]) and not later.any()


def is_of_decay(d: Difference, name: str) -> bool:
    """True if the first step that is not as claimed is off by what decays of an element, or by nothing.

    What would turn the sign of a parameter may be held at 0: then all elements are off by one share of it.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    hyper = r.probes[name].hyper
    if claimed is None or not hyper.get("weight_decay"):
        return False
    p = claimed.positions(name)
    for t, (got, want) in enumerate(zip(r.moves(name).value, claimed.moves(name).value, strict=True)):
        if not near(got, want):
            share = np.abs(got - want) / np.abs(hyper["lr"] * hyper["weight_decay"] * p[t])
            some = share[share >= NEAR]
            return near(some, 1.0) or (len(some) > 1 and near(some, some[0]) and hyper["lr"] > 1.0)
    return False


def uncorrected_steps(d: Difference, probe: Probe, got: FloatArray) -> list[int]:
    """Return the steps that the claim makes without a correction, if it makes all others itself.

    Averages do not depend on corrections, nor do steps on p where nothing decays.
    """
    claim, dtype = d.anatomy.claim, d.anatomy.readings.dtype
    if claim is None or claim.bias_correction != "both" or claim.nesterov != "none":
        return []
    forms = [replace(claim, bias_correction=form) for form in ("none", "first", "second")]
    want, *others = (
        readings_of_claim(form, {"one": probe}, dtype).moves("one").value for form in (claim, *forms)
    )
    moved = got.reshape(want.shape)
    right = [near(one, other) for one, other in zip(moved, want, strict=True)]
    for other in others:
        lacking = [near(one, other) for one, other in zip(moved, other, strict=True)]
        if all(a or b for a, b in zip(right, lacking, strict=True)):
            return [t for t, is_right in enumerate(right, start=1) if not is_right]
    return []


def cut(d: Difference, name: str, probe: Probe) -> Words | None:
    """Return the words on steps that are cut to a size, or scaled down as a whole."""
    if SWEEPS[name].name == "b1" and SWEEPS[name].value:  # another correction shortens steps too
        return None
    got, want = (np.abs(values.reshape(len(probe.steps), -1)) for values in d.values(name))
    with np.errstate(all="ignore"):
        wrong = np.any(np.abs(got - want) > NEAR * want, axis=1)
        rows = np.arange(len(got)) <= np.argmax(wrong)  # later steps begin from another p
        got, want = got[rows], want[rows]
        less = got < want * (1.0 - NEAR)
    if not less.any() or np.any(got > want * (1.0 + NEAR)):
        return None
    if not np.any(got[less]):
        return None
    if near(got[less], np.max(got[less])) and np.all(want[~less] <= np.max(got[less]) * (1.0 + NEAR)):
        lr = number(float(np.max(got[less])) / probe.hyper["lr"])
        return "clipping", "NUM.5", f"with {name} steps are cut to {lr} times lr"
    if all(near(g / w, (g / w)[0]) for g, w, off in zip(got, want, less, strict=True) if off.any()):
        return "clipping", "NUM.5", f"with {name} the steps of an array are scaled down together"
    return None


def precision(d: Difference) -> Words:
    name = d.part.differs[0]
    got, want = d.values(name)
    if name.startswith("digits"):
        text = f"in a float64 run {name.removeprefix('digits of ')} has the digits of {FORMATS[int(got[0])]}"
        return "mixed_precision", "NUM.1", text
    if name == "decay by an odd lr":
        text = "decay goes with another lr than the step does: the two differ in their last digits"
        return "decay", "NUM.4", text
    if name == "odd parameters":
        return "mixed_precision", "NUM.1", "in a float64 run a parameter loses digits without any gradient"
    claimed = d.anatomy.claimed
    if name == "odd gradients" or (claimed is not None and scatter(d.anatomy.readings, claimed) > 4.0 * FINE):
        return "mixed_precision", "NUM.1", "in a float64 run steps do not have all digits of their gradients"
    apart = np.abs(got / want - 1.0)
    off = number(float(np.max(np.where(np.isnan(apart), np.inf, apart))))
    if name in ("b1", "b2"):
        known = got[np.isfinite(got)]
        if len(known) and np.ptp(known) < 4.0 * FINE:
            return "hyperparameters", "NUM.4", f"{name} is {known[-1]:.12g} where {want[-1]:.12g} was given"
        return "mixed_precision", "NUM.1", f"the weights of a moment are off by up to {off}, each by another"
    if name in ("first sums", "second sums", "newest"):
        return "coefficients", "NUM.4", f"corrections and weights are off by up to {off}"
    if name == "eps" and (power := squares_lost(d)) is not None:
        return "moments", "NUM.2", f"in v a gradient of up to 2^{power} counts as 0"
    area = {"decay": "decay", "eps": "epsilon"}.get(name, "hyperparameters")
    return area, "NUM.4", f"{name} is off by up to {off}"


def squares_lost(d: Difference) -> int | None:
    """Return up to which power of two a gradient makes a step as if v were 0, if those above are right."""
    got, want = d.values("eps")
    wrong = np.flatnonzero(np.abs(got / want - 1.0) > FINE)
    if not len(wrong):  # what differs is NaN
        return None
    small = slice(int(wrong[-1]) + 1)
    steps = got[small] / 2.0 ** np.array(POWERS[small])
    is_linear = bool(np.all(np.abs(steps / steps[0] - 1.0) < FINE))
    return POWERS[int(wrong[-1])] if len(wrong) > 1 and wrong[-1] < len(got) - 1 and is_linear else None
