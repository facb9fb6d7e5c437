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
from adamcore.conformance.anatomy.facts import NEAR, near
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.ordinary import (
    CLOCKS,
    LENGTHS,
    PATTERN,
    SHAPES,
    ZERO_PATTERNS,
    is_independent_of_size,
    moves,
    unevenness,
    with_changes,
)
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.anatomy.words.clocks import averaged, clocks_of_steps, is_stepped_twice
from adamcore.conformance.anatomy.words.decay import decay_rule
from adamcore.conformance.anatomy.words.moments import is_scaled_as_one
from adamcore.conformance.types import FloatArray, Start

ROUNDED = 1e-6  #: a factor this near to 1 is rounding
LONGEST = max(range(len(SHAPES)), key=lambda i: int(np.prod(SHAPES[i])))  #: the place of the longest array


def circumstance(d: Difference) -> Words:
    name = d.part.differs[0]
    found, readings = (FIRST | SECOND | AFTER)[name], d.anatomy.readings
    if name in FINER and (words := FINER[name](d)):
        return words
    error = next((readings.runs[each].error for each in found.names if readings.runs[each].error), None)
    return found.area, found.rule, f"{found.text}: it raised {error}" if error else found.text


def shared(d: Difference) -> Words | None:
    if alike(d.part.values["shared"].value):
        return None
    return "layout", "STEP.1", FIRST["shared"].text


def even(d: Difference) -> Words | None:
    """The words on equal elements that go different ways by large gradients alone, or None."""
    r = d.anatomy.readings
    if "sizes-small" not in r.probes or r.why_not("sizes-small") or r.why_not("sizes"):
        return None
    small = unevenness(r, ["sizes-small"])
    if not small.all_equal(Measured(np.zeros(len(small)))):
        return None
    text = "parts of an array are scaled down, each by its own gradients: equal ones that are tiny go one way"
    return "clipping", "NUM.5", text


def sizes(d: Difference) -> Words | None:
    """The words on arrays that do not move, whose v is not their elements', or that have two dimensions."""
    r = d.anatomy.readings
    if is_independent_of_size(r, "sizes"):
        return None
    still = [shape for i, shape in enumerate(SHAPES) if not np.any(r.moves("sizes", i).value)]
    if still and all(len(shape) > 1 for shape in still) and is_matrix_moved(r):
        text = "equal gradients do not move an array of two dimensions, others do: their mean is taken off"
        return "moments", "MOM.1", text
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
    if all(is_stepped_twice(d, "sizes", i) for i, shape in enumerate(SHAPES) if len(shape) > 1):
        return "moments", "MOM.1", "an array of two dimensions is stepped twice in each step"
    times = listed(matrices[0].value / rows[0].value)
    return "layout", "STEP.1", f"a step of an array of two dimensions is {times} times that of one of one"


def is_matrix_moved(r: Readings) -> bool:
    """True if gradients that differ from each other move an array of two dimensions."""
    return "layout-C" in r.probes and not r.why_not("layout-C") and bool(np.any(r.moves("layout-C", 0).value))


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


def are_cut_unless_tiny(d: Difference) -> bool:
    """True if equal elements make shorter steps than claimed, but those of tiny gradients do not."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or any(r.why_not(name) for name in ("sizes", "sizes-small")):
        return False
    pairs = {
        name: [(r.moves(name, i), claimed.moves(name, i)) for i in range(len(SHAPES))]
        for name in ("sizes", "sizes-small")
    }
    shorter = all(np.all(np.abs(a.value) < (1.0 - NEAR) * np.abs(b.value)) for a, b in pairs["sizes"])
    return shorter and all(a.all_equal(b) for a, b in pairs["sizes-small"])


def order(d: Difference) -> Words | None:
    """The words on a maximum that depends on the places of elements, or on arrays that are scaled; or None.

    The largest v makes the shortest steps, and the first v is always the largest.
    """
    r, claim, claimed = d.anatomy.readings, d.anatomy.claim, d.anatomy.claimed
    if are_cut_unless_tiny(d):
        return (
            "clipping",
            "NUM.5",
            "gradients are cut by some of them alone, so that the places of elements count",
        )
    if are_scaled_by_order(r):
        text = "the steps of an array are multiplied by one number, which is another where its elements"
        return (
            "moments",
            "STEP.1",
            f"{text} stand in the opposite order, as of its first or its last gradient",
        )
    if claim is None or claimed is None or claim.amsgrad == "none":
        return None
    for name in FIRST["order"].names:
        for i in range(len(LENGTHS)):
            got, want = (np.abs(each.moves(name, i).value) for each in (r, claimed))
            if not near(got[0], want[0]) or np.any(got < want * (1.0 - NEAR)):
                return None
    text = "an element's steps after the first are too long, never too short, depending on its place"
    return "amsgrad", "AMS.1", f"{text}: the maximum is not its own"


def are_scaled_by_order(r: Readings) -> bool:
    """True if the opposite order of its elements multiplies all steps of an array by one number."""
    for i in range(len(LENGTHS)):
        one, other = (r.moves(name, i).value for name in FIRST["order"].names)
        ratio = one / other[:, ::-1]
        if not np.isfinite(ratio).all() or not near(ratio, ratio[:, :1]):
            return False
    return True


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


FINER: dict[str, Callable[[Difference], Words | None]] = {
    "shared": shared, "even": even, "sizes": sizes, "unit": factor, "absent": absent, "betas changed": betas,
    "groups by lr": group_decay, "matrix": permuted, "twins": twins, "zeros": after_small, "order": order,
    "decay to 0": zero_decay,
    **dict.fromkeys(("square", "3-d", "4-d", "4-d decay"), beside_it),
    **{f"clock {t}": after_clock for t in CLOCKS},
}  # fmt: skip
"""Words for what a circumstance may show besides its own."""
