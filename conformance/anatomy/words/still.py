"""What to say where something that has a gradient does not move: steps, arrays or elements."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import CHANGED, CONSTANT, LARGE, NEIGHBOURS, POWERS, T
from adamcore.conformance.anatomy.facts import near
from adamcore.conformance.anatomy.parts import VISIBLE
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.anatomy.texts import listed
from adamcore.conformance.anatomy.words.decay import decay_rule
from adamcore.conformance.rules import UNTIL_CHANGED
from adamcore.conformance.types import FloatArray


def still(d: Difference) -> Words:
    """Return the words on gradients that do not move p in the step in which they come."""
    got, _ = d.values("stepped")
    if (words := unmoved(d)) is not None:
        return words
    if not got.any():
        return "moments", "STEP.1", "no element moves in the step in which its first gradient comes"
    if not got[:T].any() and (stay := unmoved_arrays(d.anatomy.readings)):
        return "layout", "STEP.1", f"of {stay[0]} arrays {stay[1]} do not move"
    if not got[:T].any():
        return "mixed_precision", "NUM.1", "a gradient of 2^40 does not move p"
    if is_first_of_several(d):
        return "layout", "STEP.1", "the first of several arrays does not move, which moves alone"
    if (small := unmoved_by_small(d)) is not None:
        return "moments", "NUM.2", small
    if (words := unmoved_after_zeros(d)) is not None:
        return words
    if (words := counted_later(d) or never_counted(d)) is not None:
        return words
    if are_small_beside_others(d):
        text = "beside much larger gradients in its array a small one does not move p; alone it does"
        return "mixed_precision", "NUM.1", f"{text}: an array shares few bits"
    text = f"{int(np.sum(got == 0))} of {len(got)} elements that have a gradient do not move"
    return "layout", "STEP.1", text


def unmoved(d: Difference) -> Words | None:
    """Return the words on arrays or steps in which nothing moves, or on all of them."""
    r, (got, _) = d.anatomy.readings, d.values("stepped")
    if not any(np.any(r.moves(name).value) for name in ("linear", "normal")):
        if all(np.nan_to_num(r.moves(name).value).any() for name in ("started", "decay")):
            text = "in a step with a gradient of 2^40 no gradient moves p; small ones alone do"
            return "clipping", "NUM.5", f"{text}, as if a norm that is infinite divided them"
        if np.nan_to_num(r.moves("scale").value).any():
            return "moments", "STEP.1", "an array of zeros does not move, and others do"
        of_lr = np.nan_to_num(r.moves("lr").value)
        if of_lr[CHANGED - 1 :].any() and not of_lr[: CHANGED - 1].any():
            return "schedule", "LR.1", UNTIL_CHANGED
        decayed, under = (np.nan_to_num(r.moves("decay", i).value) for i in (0, 2))
        if not decayed.any() and not under.any():
            moved = [name for name in r.probes if moves_somewhere(r, name)]
            if moved and all(r.probes[name].hyper.get("weight_decay") for name in moved):
                return "moments", "MOM.1", "no gradient moves p, and decay alone moves some arrays"
            if moved:
                text = "a step in which a gradient is 2^40 moves nothing, and steps of small ones do"
                return "clipping", "NUM.5", f"{text}, as if a norm that is too large skipped it"
            return "mixed_precision", "NUM.1", f"no element moves at all in {r.dtype}"
        if under[0, 0] == under[0, 1]:
            return "moments", "MOM.1", "no gradient moves p, which decays alone"
        return "decay", decay_rule(d), "without weight decay nothing moves"
    beside = [r.moves("neighbours", k).value for k in range(3 * len(NEIGHBOURS))]
    if not any(np.any(moved) for moved in (r.moves("normal").value, *beside)):
        return "layout", "STEP.1", "of several arrays the first alone moves"
    still = np.flatnonzero(~np.any(r.moves("normal").value, axis=1)) + 1
    of_own = np.flatnonzero(got[:T] == 0) + 1  # the steps that do not count their own gradient
    in_first = len(still) > 0 and still[0] == 1
    if len(still) and np.array_equal(still, of_own) and (not got[T:].any() if in_first else got[T:].all()):
        if in_first and len(still) == 1:
            if is_as_claimed_after_first(d):
                return "schedule", "LR.1", "the first step moves nothing, and those after it are as claimed"
            if (factors := factors_without_averages(d, T - 1)) is not None:
                text = "the first step moves nothing, and those after it, whose size no clock changes, are"
                return "schedule", "LR.1", f"{text} {listed(factors)} times the last one"
            return "clock", "CLK.2", "the first step moves nothing, those after it do"
        if are_put_off(d, still):
            text = f"steps {listed(still)} move nothing; what they should move by comes with those after them"
            return "moments", "STEP.1", text
        if factors_without_averages(d, 3) is not None:
            text = "where no clock changes their size, those that do move go on changing"
            return "schedule", "LR.1", f"steps {listed(still)} move nothing, and {text}"
        return "clock", "CLK.2", f"steps {listed(still)} move nothing, those between them do"
    return None


def moves_somewhere(r: Readings, name: str) -> bool:
    """True if an experiment without a gradient of 2^40 moves something."""
    probe = r.probes[name]
    given = [g for step in probe.steps for g in step.grads if g is not None]
    if r.why_not(name) or any(np.any(np.abs(g) >= LARGE) for g in given):
        return False
    return any(np.nan_to_num(r.moves(name, i).value).any() for i in range(len(probe.params)))


def counted_later(d: Difference) -> Words | None:
    """Return the words on some steps whose gradients count from a later one on, or None."""
    moved = np.nan_to_num(d.anatomy.readings.moves("normal").value[:, :T]) != 0  # by step, and by gradient
    held = [s for s in range(T - 1) if not moved[s, s]]
    if not held or not all(moved[:, s].any() for s in held) or not any(moved[s, s] for s in range(T)):
        return None
    given, counted = np.array(held) + 1, np.argmax(moved[:, held], axis=0) + 1
    return "moments", "MOM.1", f"gradients of steps {listed(given)} first count in steps {listed(counted)}"


def never_counted(d: Difference) -> Words | None:
    """Return the words on some steps that move p by older gradients, and whose own never count, or None."""
    moved = np.nan_to_num(d.anatomy.readings.moves("normal").value) != 0  # by step, and by element
    own = moved[:, :T]
    lost = [s for s in range(T) if not own[:, s].any()]
    if not lost or len(lost) == T or not all(own[s, s] for s in range(T) if s not in lost):
        return None
    if not all(moved[s].any() for s in lost):
        return None
    return "moments", "MOM.1", f"gradients of steps {listed(np.array(lost) + 1)} never count; p moves in them"


def are_put_off(d: Difference, still: FloatArray) -> bool:
    """True if p is where it should be after each step but these."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return False
    others = np.setdiff1d(np.arange(T), still - 1)
    sums = [
        [np.cumsum(each.moves(name).value, axis=0)[others] for each in (r, claimed)]
        for name in ("linear", "normal")
    ]
    return all(near(got, want) for got, want in sums)


def is_as_claimed_after_first(d: Difference) -> bool:
    """True if the steps after the first one are as claimed, with what they have of its gradient."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    return claimed is not None and all(
        r.moves(name)[1:].all_equal(claimed.moves(name)[1:]) for name in ("linear", "normal")
    )


def factors_without_averages(d: Difference, least: int = T) -> FloatArray | None:
    """Return the steps by constant gradients where nothing is averaged, or None if all are alike.

    There every correction is 1 from the first step on.

    Args:
        d: the difference.
        least: how many of these steps have to move something.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or "unit" not in r.probes or r.why_not("unit"):
        return None
    if r.hyper("b1", "unit") or r.hyper("b2", "unit"):
        return None
    steps, theirs = (each.moves("unit", 1)[:, 0] for each in (r, claimed))
    there = steps[np.isfinite(steps.value) & (steps.value != 0)]
    if not theirs.all_equal(theirs[0]) or len(there) < least or there.all_equal(there[0]):
        return None
    factors: FloatArray = there.value / there.value[-1]
    return factors


def unmoved_arrays(r: Readings) -> tuple[int, int] | None:
    """Return how many arrays have large gradients, and how many of them stay; None if all do."""
    probe = r.probes["main"]
    large = [i for i in range(len(probe.params)) if any(np.any(s.grads[i] == LARGE) for s in probe.steps)]
    still = [i for i in large if not np.any(np.diff(r.positions("main", i), axis=0))]
    return (len(large), len(still)) if len(still) < len(large) else None


def is_first_of_several(d: Difference) -> bool:
    """True if the gradients of the curve, the first of its arrays, move nothing, and all others do."""
    stepped, _ = d.values("stepped")
    curve = np.arange(T, T + len(POWERS) - VISIBLE)
    return np.array_equal(np.flatnonzero(stepped == 0), curve)


def unmoved_by_small(d: Difference) -> str | None:
    """Return the words on small gradients, and no others, that do not move p."""
    stepped, _ = d.values("stepped")
    still = np.flatnonzero(stepped == 0) - T
    if not np.array_equal(still, np.arange(len(still))) or len(still) > len(POWERS):
        return None
    return f"a gradient of 2^{POWERS[VISIBLE + int(still[-1])]} does not move p at all"


def unmoved_after_zeros(d: Difference) -> Words | None:
    """Return the words on elements that stay if their first gradient is not one of the first step, or None.

    An element with a gradient in each step moves in each of them.
    """
    (got, _), moved = d.values("stepped"), d.anatomy.readings.moves("normal").value[:, CONSTANT]
    if not got[0] or got[1:T].any() or not got[T:].all() or not moved.all():
        return None
    return "moments", "STEP.1", "after steps without gradients a gradient does not move p at all"


def are_small_beside_others(d: Difference) -> bool:
    """True if the smallest gradients of an array do not move p, and nothing else that has one stays."""
    stepped, _ = d.values("stepped")
    count = len(POWERS) - VISIBLE
    of_steps, curve, others = stepped[:T], stepped[T : T + count], stepped[T + count :]
    small = np.flatnonzero(curve == 0)
    whole = of_steps.all() and np.array_equal(small, np.arange(len(small))) and len(small) < len(curve)
    return bool(whole and others[:2].all() and not others[2] and others[3:].all())
