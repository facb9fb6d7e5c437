"""What to say of a circumstance, a value of a hyperparameter or a precision that is not as claimed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from adamcore import AXES
from adamcore.axes import RELATIVE
from adamcore.conformance.anatomy.circumstances import AFTER, FIRST, SECOND
from adamcore.conformance.anatomy.decay import is_all_that_differs
from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import CONSTANT, POWERS, T
from adamcore.conformance.anatomy.facts import NEAR, near
from adamcore.conformance.anatomy.levers import experiment
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.ordinary import (
    LENGTHS,
    PATTERN,
    SHAPES,
    ZERO_PATTERNS,
    is_independent_of_size,
    moves,
    with_changes,
)
from adamcore.conformance.anatomy.precision import FINE, FORMATS, scatter
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim, run_of_claim
from adamcore.conformance.anatomy.sweeps import SWEEPS, counts_as
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.anatomy.words import is_scaled_as_one
from adamcore.conformance.types import FloatArray, Probe, Start

CLOCKS = 256  #: the clocks that are tried for an array whose steps depend on its size
LONGEST = max(range(len(SHAPES)), key=lambda i: int(np.prod(SHAPES[i])))  #: the place of the longest array
SLIGHT = 2e-3  #: relative differences below this are a matter of how exactly coefficients are formed


def circumstance(d: Difference) -> Words:
    name = d.part.differs[0]
    found, readings = (FIRST | SECOND | AFTER)[name], d.anatomy.readings
    if name == "groups by lr" and (words := of_decay(d, found.names[0])):
        return words
    if name in FINER and (words := FINER[name](d)):
        return words
    error = next((readings.runs[each].error for each in found.names if readings.runs[each].error), None)
    return found.area, found.rule, f"{found.text}: it raised {error}" if error else found.text


def shared(d: Difference) -> Words | None:
    if alike(d.part.values["shared"].value):
        return None
    return "layout", "STEP.1", FIRST["shared"].text


def sizes(d: Difference) -> Words | None:
    """The words on arrays that do not move, whose v is not their elements', or that have two dimensions."""
    r = d.anatomy.readings
    if is_independent_of_size(r, "sizes"):
        return None
    still = [shape for i, shape in enumerate(SHAPES) if not np.any(r.moves("sizes", i).value)]
    if still:
        text = f"arrays of the shapes {', '.join(map(str, dict.fromkeys(still)))} do not move"
        return "layout", "STEP.1", text
    if (counted := clock_of_size(d)) is not None:
        text = f"an array of {np.prod(SHAPES[LONGEST])} elements makes its steps 1, 2, ... as those of t = "
        return "clock", "CLK.1", f"{text}{listed(counted)}"
    [second] = [part for part in d.anatomy.parts if part.name == "second moment"]
    if "beside others" in second.differs and not is_scaled_as_one(d):
        text = "beside others in its array, a large gradient's step has the share "
        return "moments", "MOM.2", Difference(d.anatomy, second).beside("beside others", text)
    steps = [r.moves("sizes", i)[:, 0] for i in range(len(SHAPES))]
    if (most := largest_as_claimed(d, steps)) is not None:
        text = f"arrays of more than {most} elements make other steps, all the same ones, than smaller arrays"
        return "layout", "STEP.1", text
    rows, matrices = ([s for s, shape in zip(steps, SHAPES, strict=True) if (len(shape) > 1) == many]
                      for many in (False, True))  # fmt: skip
    if not all(row.all_equal(rows[0]) for row in rows):
        return None
    if is_independent_of_size(r, "sizes-small"):
        text = "gradients of arrays of two dimensions are cut: tiny ones make the steps of those in others"
        return "clipping", "NUM.5", text
    times = listed(matrices[0].value / rows[0].value)
    return "layout", "STEP.1", f"a step of an array of two dimensions is {times} times that of one of one"


def after_small(d: Difference) -> Words | None:
    """The words on large gradients that are scaled down after tiny ones, which are no zeros, or None."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return None
    first = [pattern.index(1) for pattern in ZERO_PATTERNS for _ in range(2)]
    got, want = (
        np.array([each.moves("zeros", 3 * k + 2).value[t, 0] for k, t in enumerate(first)])
        for each in (r, claimed)
    )
    share = np.abs(got / want)
    if not np.any(share < 0.5) or not np.all(share[np.array(first) == 0] > 1.0 - NEAR):
        return None
    text = "after tiny gradients a large one moves p the less far, by the share "
    return "clipping", "NUM.5", f"{text}{number(float(np.min(share)))}"


def largest_as_claimed(d: Difference, steps: Sequence[Measured]) -> int | None:
    """Return up to which size arrays are stepped as claimed if all larger ones are stepped alike, or None.

    A norm or a mean makes steps of as many sizes as there are arrays.
    """
    claimed = d.anatomy.claimed
    if claimed is None:
        return None
    sizes = np.array([int(np.prod(shape)) for shape in SHAPES])
    right = np.array([step.all_equal(claimed.moves("sizes", i)[:, 0]) for i, step in enumerate(steps)])
    if right.all() or not right.any() or np.max(sizes[right]) >= np.min(sizes[~right]):
        return None
    others = [step for step, is_right in zip(steps, right, strict=True) if not is_right]
    alike = len(others) > 1 and all(other.all_equal(others[0]) for other in others)
    return int(np.max(sizes[right])) if alike else None


def clock_of_size(d: Difference) -> FloatArray | None:
    """Return the clock, if it is not its own, with which the claim makes each step of the longest array."""
    moved = d.anatomy.readings.moves("sizes", LONGEST)[:, 0].value
    hyper = d.anatomy.readings.probes["sizes"].hyper
    found = clocks_of_steps(d, hyper, [float(g) for g in PATTERN[: len(moved)]], moved)
    return None if found is None or np.array_equal(found, np.arange(1, len(found) + 1)) else found


def clocks_of_steps(
    d: Difference, hyper: Mapping[str, float], gradients: Sequence[float], steps: FloatArray
) -> FloatArray | None:
    """Return the clocks with which the claim makes an element's steps by these gradients, or None."""
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is None or claim.nesterov != "none" or claim.amsgrad == "corrected":
        return None
    plain = replace(claim, clock="per-parameter", missing="skip", all_missing="tick")
    m = v = top = 0.0
    way = -1.0 if claim.maximize else 1.0
    counted = []
    for gradient, moved in zip(gradients, steps, strict=True):
        g = np.full(1, gradient)
        probe = experiment(
            "clocks", "one step from each clock", [np.ones(1)] * CLOCKS, [[g] * CLOCKS], **hyper
        )
        state = np.full(1, m), np.full(1, v), np.full(1, top)
        probe = replace(probe, start=tuple(Start(t, *state) for t in range(CLOCKS)))
        made = Readings({"clocks": run_of_claim(plain, probe)}, {"clocks": probe}, r.dtype)
        every = np.array([made.moves("clocks", i).value[0, 0] for i in range(CLOCKS)])
        fitting = np.flatnonzero(np.abs(every - moved) <= NEAR * np.abs(moved))
        if len(fitting) == 0 or len(fitting) > CLOCKS // 2:  # no clock counts there
            return None
        counted.append(float(fitting[0] + 1))
        m = hyper["b1"] * m + (1.0 - hyper["b1"]) * way * g.item()
        v = hyper["b2"] * v + (1.0 - hyper["b2"]) * g.item() ** 2
        top = max(top, v)
    return np.array(counted)


def twins(d: Difference) -> Words | None:
    """The words on arrays of one shape that come back as one of them, though their gradients differ."""
    after = [d.anatomy.readings.positions("twins", i)[1:] for i in range(3)]
    if not all(np.array_equal(p, after[0]) for p in after):
        return None
    return "isolation", "STATE.3", "arrays of one shape come back equal, though their gradients differ"


def permuted(d: Difference) -> Words | None:
    """The words on elements of a matrix that make the steps of others, or of which nothing can be read."""
    if not np.isfinite(d.values("matrix")[0]).any():
        return "layout", "STEP.1", "an array of two dimensions does not come back with its shape and numbers"
    got, want = (np.sort(values.reshape(-1, 12), axis=1) for values in d.values("matrix"))
    if not near(got[:1], want[:1]) and np.all(got):
        return None
    return "layout", "STEP.1", "in an array of two dimensions elements make the steps of others, or none"


def betas(d: Difference) -> Words | None:
    """The words on corrections that are not those of the betas of each step, if the weights are."""
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is None or r.runs["new-betas"].error:
        return None
    probe = r.probes["new-betas"]
    changes = probe.steps[3].changes or {}
    variants = [with_changes("new-betas", "", **{**probe.hyper, **some}) for some in
                ({}, *({k: v} for k, v in changes.items()))]  # fmt: skip
    late = [replace(s, changes=changes if t == 4 else None) for t, s in enumerate(probe.steps)]
    for variant in (*variants, replace(probe, steps=tuple(late))):
        other = readings_of_claim(claim, {"new-betas": variant}, r.dtype)
        if moves(other, ["new-betas"]).all_equal(d.part.values["betas changed"]):
            return None
    return "bias_correction", "BC.4", "after new betas, corrections are not those of the betas of each step"


def clocks_after_absence(d: Difference, r: Readings) -> list[FloatArray]:
    """Return the clocks of the steps of each array of "lacking", if nothing else is not as claimed."""
    probe = d.anatomy.readings.probes["lacking"]
    found = []
    for i in range(len(probe.params)):
        given = [step.grads[i] for step in probe.steps]
        there = [t for t, g in enumerate(given) if g is not None]
        gradients = [float(g.flat[0]) for g in given if g is not None]
        moved = r.moves("lacking", i)[:, 0].value
        still = [t for t in range(len(probe.steps)) if t not in there]
        clocks = None if np.any(moved[still]) else clocks_of_steps(d, probe.hyper, gradients, moved[there])
        if clocks is None:
            return []
        found.append(clocks)
    return found


def absent(d: Difference) -> Words | None:
    if d.anatomy.claimed is not None:
        both = (clocks_after_absence(d, r) for r in (d.anatomy.readings, d.anatomy.claimed))
        for i, (counted, claimed) in enumerate(zip(*both, strict=False)):
            if not np.array_equal(counted, claimed):
                text = (
                    f"where gradients are absent, the steps of array {i} are those of t = {listed(counted)}"
                )
                return "clock", "CLK.1", f"{text} where {listed(claimed)} is claimed"
    clock = other_clock(d)
    text = f"after absent gradients, steps are those of a clock that is {clock}"
    return ("clock", "CLK.1", text) if clock else None


def order(d: Difference) -> Words | None:
    """The words on a maximum that depends on the places of elements, or None.

    The largest v makes the shortest steps, and the first v is always the largest.
    """
    r, claim, claimed = d.anatomy.readings, d.anatomy.claim, d.anatomy.claimed
    if claim is None or claimed is None or claim.amsgrad == "none":
        return None
    for name in FIRST["order"].names:
        for i in range(len(LENGTHS)):
            got, want = (np.abs(each.moves(name, i).value) for each in (r, claimed))
            if not near(got[0], want[0]) or np.any(got < want * (1.0 - NEAR)):
                return None
    text = "an element's steps after the first are too long, never too short, depending on its place"
    return "amsgrad", "AMS.1", f"{text}: the maximum is not its own"


def alike(moved: FloatArray) -> bool:
    """True if all elements make the same move in each step."""
    return near(moved, moved[:, :1])


def factor(d: Difference) -> Words | None:
    """The words on steps that are multiplied by what changes from step to step."""
    got, _ = d.values("unit")
    with np.errstate(all="ignore"):
        fading = float(got[0] / got[1]) - 1.0  # (1-b^2) / (1-b) = 1+b
        corrections = 1.0 - fading ** np.arange(1, len(got) + 1)
    if 0 < fading < 1 and near(got * corrections, got[-1] * corrections[-1]):
        text = f"steps are divided by 1 - {number(fading)}^t though both betas are 0"
        return "bias_correction", "BC.1", text
    if takes_corrections_place(d, got):
        text = f"without averages steps are {listed(got)} times that of the last one, and with averages these"
        return "bias_correction", "BC.1", f"{text} factors stand in the place of the corrections"
    text = f"steps are {listed(got)} times that of the last one, though neither gradient nor lr changes"
    return "schedule", "LR.1", text


def takes_corrections_place(d: Difference, factors: FloatArray) -> bool:
    """True if with averages these factors multiply steps that nothing else corrects.

    A learning rate that changes multiplies steps that are corrected.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return False
    t = np.arange(1, T + 1)
    first, second = (1.0 - r.hyper(name) ** t for name in ("b1", "b2"))
    steps, theirs = (each.normal.value[:, CONSTANT] for each in (r, claimed))
    with np.errstate(all="ignore"):
        left = steps / theirs / factors[:T]
        return any(
            near(left / left[-1], lacking / lacking[-1])
            for lacking in (first / np.sqrt(second), first, 1.0 / np.sqrt(second))
        )


def other_clock(d: Difference) -> str | None:
    """Return the clock with which the claim makes the steps that the candidate made, or None."""
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is None:
        return None
    for value in AXES["clock"]:
        if value != claim.clock:
            other = replace(claim, clock=value, all_missing="tick")  # type: ignore[arg-type]
            readings = readings_of_claim(other, {"lacking": r.probes["lacking"]}, r.dtype)
            if moves(readings, ["lacking"]).all_equal(d.part.values["absent"]):
                return str(value)
    return None


FINER: dict[str, Callable[[Difference], Words | None]] = {
    "shared": shared, "sizes": sizes, "unit": factor, "absent": absent, "betas changed": betas,
    "matrix": permuted, "twins": twins, "zeros": after_small, "order": order,
}  # fmt: skip
"""Words for what a circumstance may show besides its own."""


def hyperparameters(d: Difference) -> Words:
    name = d.part.differs[0]
    sweep, claim = SWEEPS[name], d.anatomy.claim
    got = d.part.values[name].value
    probe = d.anatomy.readings.probes[name]
    found = None if claim is None else counts_as(claim, sweep, probe, got, d.anatomy.readings.dtype)
    if found is None and (words := cut(d, name, probe) or of_decay(d, name)):
        return words
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
        return area, rule, f"with {what} steps are not as claimed, though they are with other values"
    power = (
        sweep.name == "eps"
        and 0 < sweep.value != found > 0
        and near(np.log(found) / np.log(sweep.value), 2.0)
    )
    return "epsilon" if power else "hyperparameters", rule, f"{what} counts as {number(found)}"


def of_decay(d: Difference, name: str) -> Words | None:
    """The words on an experiment whose steps are right but for their decay."""
    claim, claimed = d.anatomy.claim, d.anatomy.claimed
    if claim is None or claimed is None or not is_all_that_differs(d.anatomy.readings, claimed, name):
        return None
    rule = "DEC.6" if claim.cautious_decay else "DEC.7" if claim.decay in RELATIVE else "DEC.2"
    probe = d.anatomy.readings.probes[name]
    lrs = [number((dict(probe.hyper) | dict(group))["lr"]) for group in probe.groups or ({},)]
    return "decay", rule, f"with lr={' and '.join(lrs)} decay alone is not as claimed"


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
    small = slice(int(wrong[-1]) + 1)
    steps = got[small] / 2.0 ** np.array(POWERS[small])
    is_linear = bool(np.all(np.abs(steps / steps[0] - 1.0) < FINE))
    return POWERS[int(wrong[-1])] if len(wrong) > 1 and wrong[-1] < len(got) - 1 and is_linear else None
