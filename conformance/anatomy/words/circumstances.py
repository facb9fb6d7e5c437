"""What to say of a circumstance in which steps are not as claimed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from adamcore import AXES
from adamcore.axes import RELATIVE
from adamcore.conformance.anatomy.circumstances import AFTER, FIRST, SECOND
from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import CONSTANT, T
from adamcore.conformance.anatomy.facts import NEAR, constant, near
from adamcore.conformance.anatomy.ordinary import (
    CLOCKS,
    ZERO_PATTERNS,
    moves,
    with_changes,
)
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.anatomy.words.clocks import averaged, clocks_of_steps
from adamcore.conformance.anatomy.words.decay import decay_rule
from adamcore.conformance.anatomy.words.places import even, order, permuted, sizes, twins
from adamcore.conformance.types import FloatArray, Start

ROUNDED = 1e-6  #: a factor this near to 1 is rounding


def circumstance(d: Difference) -> Words:
    name = d.part.differs[0]
    found, readings = (FIRST | SECOND | AFTER)[name], d.anatomy.readings
    if name in FINER and (words := FINER[name](d)):
        return words
    error = next((readings.runs[each].error for each in found.names if readings.runs[each].error), None)
    return found.area, found.rule, f"{found.text}: it raised {error}" if error else found.text


def shared(d: Difference) -> Words | None:
    moved = d.anatomy.readings.moves("shared")
    if np.any(moved.value) and moved.all_equal(moved[:, :1]):
        return (
            "layout",
            "STEP.1",
            "all elements of an array make the same steps, those without a gradient too",
        )
    if alike(d.part.values["shared"].value):
        return None
    return "layout", "STEP.1", FIRST["shared"].text


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
    if not is_of_corrections(d, "new-betas"):
        return None
    return "bias_correction", "BC.4", "after new betas, corrections are not those of the betas of each step"


def is_of_corrections(d: Difference, name: str) -> bool:
    """True if other corrections can make all steps of a run without decay.

    Corrections are the same numbers for all elements.  So a step, times a number and a share of the root of
    the claimed v, is a share of the claimed m, and of the gradient if there is a look-ahead; where eps stands
    under the root, the same goes for squares.
    """
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is None or claim.amsgrad == "corrected":
        return True  # the steps tell no maximum
    probe = r.probes[name]
    moved = np.concatenate([r.moves(name, i).value for i in range(len(probe.params))], axis=1)
    hyper, zeros = dict(probe.hyper), (np.zeros(p.size) for p in probe.params)
    still = [Start(0, zero, zero, zero) for zero in zeros]
    m, v, top = (
        np.concatenate([np.ravel(getattr(start, each)) for start in probe.start or still])
        for each in ("m", "v", "v_max")
    )
    for step, u in zip(probe.steps, moved, strict=True):
        hyper.update(step.changes or {})
        g = np.concatenate([np.ravel(g) for g in step.grads if g is not None])
        m, v = averaged(claim, hyper, m, v, g)
        top = v if claim.amsgrad == "none" else np.maximum(top, v)
        parts, squares = ([m], [m * m]) if claim.nesterov == "none" else ([m, g], [m * m, m * g, g * g])
        if not is_sum(u, [*parts, u * np.sqrt(top)]) and not is_sum(u * u, [*squares, u * u * top]):
            return False
    return True


def is_sum(of: FloatArray, parts: Sequence[FloatArray]) -> bool:
    """True if a vector is a sum of shares of these."""
    if not np.isfinite(of).all():
        return False
    columns = np.stack(parts, axis=1)
    return near(columns @ np.linalg.lstsq(columns, of)[0], of)


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


def group_decay(d: Difference) -> Words | None:
    """The words on a group whose decay alone is not that of its lr, if what lr counts against is claimed.

    All parameters are equal, and so is what decays of them; gradients differ.
    """
    claim, r, claimed = d.anatomy.claim, d.anatomy.readings, d.anatomy.claimed
    if claim is None or claimed is None or claim.decay not in RELATIVE or r.why_not("groups-lr"):
        return None
    off = [r.moves("groups-lr", i).value[:1] - claimed.moves("groups-lr", i).value[:1] for i in range(2)]
    if not all(alike(np.where(np.abs(each) < ROUNDED, 0.0, each)) for each in off):
        return None
    return "decay", decay_rule(d), "in a group with an lr of its own decay is not as claimed, all else is"


def after_clock(d: Difference) -> Words | None:
    """The words on steps after many that are multiplied, or whose moments are not those claimed, or None."""
    claim, r, claimed = d.anatomy.claim, d.anatomy.readings, d.anatomy.claimed
    [name] = AFTER[d.part.differs[0]].names
    if claim is None or claimed is None or r.why_not(name):
        return None
    probe, what = r.probes[name], AFTER[d.part.differs[0]].text
    [start] = probe.start
    later = replace(probe, start=(replace(start, t=2 * start.t),))
    others = readings_of_claim(claim, {name: later}, r.dtype).moves(name).value
    got, want = (each.moves(name).value for each in (r, claimed))
    if is_multiple(got / want) and not is_multiple(others / want):
        return "schedule", "LR.1", f"{what}: they are {listed((got / want)[:, 0])} times as long"
    if np.isfinite(got).all() and not is_of_corrections(d, name):
        return "moments", "STEP.1", f"{what}: no other corrections of the claimed moments make them"
    return None


def is_multiple(factors: FloatArray) -> bool:
    """True if all elements are off by the same factor in each step, be it near 1."""
    off = factors - 1.0
    return alike(np.where(np.abs(off) < ROUNDED, 0.0, off))


def beside_it(d: Difference) -> Words | None:
    """The words on an array that is stepped as claimed where the one after it, of another shape, is not."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    [name] = AFTER[d.part.differs[0]].names
    if claimed is None or r.why_not(name) or not r.moves(name, 0).all_equal(claimed.moves(name, 0)):
        return None
    shape = r.probes[name].params[0].shape
    return "isolation", "STATE.3", f"after an array of the shape {shape} another is not stepped as claimed"


def alike(moved: FloatArray) -> bool:
    """True if all elements make the same move in each step."""
    return near(moved, moved[:, :1])


def factor(d: Difference) -> Words | None:
    """The words on steps that are multiplied by what changes from step to step."""
    got, _ = d.values("unit")
    with np.errstate(all="ignore"):
        fading = float(got[0] / got[1]) - 1.0  # (1-b^2) / (1-b) = 1+b
        corrections = 1.0 - fading ** np.arange(1, len(got) + 1)
    if NEAR < fading < 1 and near(got * corrections, got[-1] * corrections[-1]):
        text = f"steps are divided by 1 - {number(fading)}^t though both betas are 0"
        return "bias_correction", "BC.1", text
    if takes_corrections_place(d, got):
        text = f"without averages steps are {listed(got)} times that of the last one, and with averages these"
        return "bias_correction", "BC.1", f"{text} factors stand in the place of the corrections"
    other = np.flatnonzero(np.abs(got - got[-1]) > NEAR * np.abs(got[-1]))
    if 0 < 3 * len(other) < len(got):
        one = constant(got[other])
        times = listed(got[other]) if one is None else number(one)
        text = f"of equal steps numbers {listed(other + 1.0)} are {times} times as large as the others"
        return "schedule", "LR.1", f"{text}, though neither gradient nor lr changes"
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


def zero_decay(d: Difference) -> Words | None:
    """The words on a weight decay of 0 that counts neither in mid-run nor in a group, or None."""
    if "groups by weight_decay" not in d.part.differs or "decay changed" in d.part.differs:
        return None
    return "decay", "DEC.1", "a weight decay of 0 does not count, in mid-run or in a group of its own"


def still_group(d: Difference) -> Words | None:
    """The words on a step that raises where a group has an lr of 0, or None."""
    if (error := d.anatomy.readings.runs["still-group"].error) is None:
        return None
    return "schedule", "LR.2", f"with an lr of 0 from the start it raised {error}"


def groups_before(d: Difference) -> Words | None:
    """The words on groups that are not stepped as claimed before they are saved, or None."""
    r, claimed, name = d.anatomy.readings, d.anatomy.claimed, "groups-resumed"
    if claimed is None:
        return None
    probe = r.probes[name]
    resumed = next(t for t, step in enumerate(probe.steps) if step.resumed)
    before, arrays = slice(resumed - 1), range(len(probe.params))  # a load may undo the step behind these
    if all(r.moves(name, i)[before].all_equal(claimed.moves(name, i)[before]) for i in arrays):
        return None
    values = ", ".join(sorted({setting for group in probe.groups for setting in group}))
    return "groups", "LR.4", f"two groups, each with its own {values}, are not stepped as claimed"


FINER: dict[str, Callable[[Difference], Words | None]] = {
    "shared": shared, "even": even, "sizes": sizes, "unit": factor, "absent": absent, "betas changed": betas,
    "groups by lr": group_decay, "matrix": permuted, "twins": twins, "zeros": after_small, "order": order,
    "decay to 0": zero_decay, "restored groups": groups_before, "still group": still_group,
    **dict.fromkeys(("square", "3-d", "4-d", "4-d decay"), beside_it),
    **{f"clock {t}": after_clock for t in CLOCKS},
}  # fmt: skip
"""Words for what a circumstance may show besides its own."""
