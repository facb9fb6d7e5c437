"""What to say of an element whose place, or of an array whose size or shape, changes its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from adamcore.conformance.anatomy.circumstances import FIRST
from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.facts import NEAR, near
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.ordinary import (
    LENGTHS,
    PATTERN,
    SHAPES,
    is_independent_of_size,
    unevenness,
)
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.anatomy.words.clocks import clocks_of_steps, is_stepped_often
from adamcore.conformance.anatomy.words.hyperparameters import SLIGHT
from adamcore.conformance.anatomy.words.moments import is_scaled_as_one
from adamcore.conformance.anatomy.words.replays import power_of_gradient
from adamcore.conformance.types import FloatArray

LONGEST = max(range(len(SHAPES)), key=lambda i: int(np.prod(SHAPES[i])))  #: the place of the longest array
MOST_PARTS = 4  #: more may be sizes of gradients that are multiplied
COARSE = 2.0**-10  #: two roundings to float16, relative to a number
OFTEN = tuple((times, share) for times in (2, 3, 4) for share in (1.0, 1.0 / times))
"""How often an array may be stepped in a step, and by which part of its gradient each time."""


def even(d: Difference) -> Words | None:
    """The words on equal elements that go different ways by large gradients alone, or None."""
    r = d.anatomy.readings
    if (factors := factors_of_places(d)) is not None:
        text = f"gradients are multiplied by {listed(factors)}, one after the other"
        is_left_out = set(np.round(factors, 6)) == {0.0, 1.0}  # what counts does so as it should
        area = ("layout", "STEP.1") if is_left_out else ("moments", "MOM.1")
        return *area, f"{text}, whatever their size"
    if (factors := factors_of_parts(d)) is not None:
        text = f"gradients in successive parts of an array are multiplied by {listed(factors)}"
        return "moments", "MOM.1", f"{text}, whatever their size"
    if (most := roundings(r)) is not None:
        text = f"equal elements of an array differ by up to {number(most)} of a step, as if some were rounded"
        return "mixed_precision", "NUM.1", f"{text} to few bits more often than others"
    if "sizes-small" not in r.probes or r.why_not("sizes-small") or r.why_not("sizes"):
        return None
    if (clocks := clocks_of_rows(d)) is not None:
        text = " and ".join(f"t = {listed(clock)}" for clock in clocks)
        return "clock", "CLK.1", f"two rows of an array make their steps 1, 2, ... as those of {text}"
    small = unevenness(r, ["sizes-small"])
    if not small.all_equal(Measured(np.zeros(len(small)))):
        return None
    text = "parts of an array are scaled down, each by its own gradients: equal ones that are tiny go one way"
    return "clipping", "NUM.5", text


def factors_along(d: Difference) -> FloatArray | None:
    """Return how many times each gradient of an array counts, all of them far below eps, or None."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or r.why_not("large"):
        return None
    return (r.curve("large") / claimed.curve("large")).value


def factors_of_places(d: Difference) -> FloatArray | None:
    """Return how many times gradients count, if that comes again along an array, or None."""
    times = factors_along(d)
    if times is None or not np.max(times) > 1.0 - NEAR:  # they are cut
        return None
    for n in range(2, 9):
        if near(times[n:], times[:-n]) and not near(times, times[0]):
            return times[:n]
    return None


def factors_of_parts(d: Difference) -> FloatArray | None:
    """Return how many times gradients count in each of a few successive parts of an array, or None.

    Where none counts more than once they may be cut.
    """
    times = factors_along(d)
    if times is None:
        return None
    begins = [0, *(i for i in range(1, len(times)) if not near(times[i], times[i - 1]))]
    factors = times[begins]
    few = 1 < len(begins) <= MOST_PARTS and np.isfinite(times).all() and np.max(times) > 1.0 + NEAR
    return factors if few and are_steps_of(d, factors) else None


def are_steps_of(d: Difference, factors: FloatArray) -> bool:
    """True if equal elements make the claimed steps of their gradients times these numbers, one each."""
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is None or r.why_not("sizes"):
        return False
    probe, ways = r.probes["sizes"], []
    for times in factors:
        one = readings_of_claim(claim, {"sizes": probe.each_gradient(partial(np.multiply, times))}, r.dtype)
        ways.append(one.moves("sizes").value[:, 0])
    every = [moved for i in range(len(SHAPES)) for moved in r.moves("sizes", i).value.T]
    fits = np.array([[near(moved, way) for way in ways] for moved in every])
    return bool(fits.any(axis=1).all() and fits.any(axis=0).all())


def roundings(r: Readings) -> float | None:
    """Return by which share of a step equal elements differ if it is one of rounding to float16, or None."""
    if r.why_not("sizes"):
        return None
    steps = np.concatenate([np.abs(r.moves("sizes", i).value[:, 0]) for i in range(len(SHAPES))])
    off = float(np.max(np.abs(unevenness(r, ["sizes"]).value)))
    share = off / float(np.max(steps)) if np.max(steps) > 0 else np.inf
    return share if share < COARSE else None


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
    of_two = [i for i, shape in enumerate(SHAPES) if len(shape) > 1]
    if (part := share_of_gradient(d, of_two)) is not None:
        return "moments", "MOM.1", f"each gradient of an array of two dimensions counts {number(part)} times"
    if is_independent_of_size(r, "sizes-small"):
        text = "gradients of arrays of two dimensions are cut: tiny ones make the steps of those in others"
        return "clipping", "NUM.5", text
    for often, share in OFTEN:
        if is_stepped_often(d, "sizes", of_two, often, share):
            of = "" if share == 1.0 else f", by {number(share)} times its gradient"
            times = "twice" if often == 2 else f"{often} times"
            return "moments", "MOM.1", f"an array of two dimensions is stepped {times} in each step{of}"
    ratio = matrices[0].value / rows[0].value
    if (off := float(np.max(np.abs(ratio - 1.0)))) < SLIGHT:
        text = f"steps of an array of two dimensions are off by up to {number(off)}, relative to others"
        return "coefficients", "NUM.4", text
    times = listed(ratio)
    return "layout", "STEP.1", f"a step of an array of two dimensions is {times} times that of one of one"


def share_of_gradient(d: Difference, arrays: Sequence[int]) -> float | None:
    """Return the number by which gradients of these arrays are multiplied, or None if it is none."""
    claim, r = d.anatomy.claim, d.anatomy.readings
    if claim is None:
        return None
    first = replace(r.probes["sizes"], steps=r.probes["sizes"].steps[:1])

    def step(times: float) -> Measured:
        one = readings_of_claim(claim, {"sizes": first.each_gradient(lambda g: times * g)}, r.dtype)
        return one.moves("sizes", arrays[0])[0, :1]

    power = power_of_gradient(step, r.moves("sizes", arrays[0])[0, :1], 20.0)
    times = float(number(2.0**power))
    is_other = abs(times - 1.0) > SLIGHT
    return times if is_other and is_stepped_often(d, "sizes", arrays, 1, times) else None


def is_matrix_moved(r: Readings) -> bool:
    """True if gradients that differ from each other move an array of two dimensions."""
    return "layout-C" in r.probes and not r.why_not("layout-C") and bool(np.any(r.moves("layout-C", 0).value))


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


def clocks_of_rows(d: Difference) -> list[FloatArray] | None:
    """Return the clocks with which the claim makes the steps of an array's rows, or None if they are one."""
    place, columns = next((i, shape[1]) for i, shape in enumerate(SHAPES) if len(shape) > 1)
    moved, hyper = d.anatomy.readings.moves("sizes", place).value, d.anatomy.readings.probes["sizes"].hyper
    given = [float(g) for g in PATTERN[: len(moved)]]
    found = [clocks_of_steps(d, hyper, given, moved[:, e]) for e in range(0, moved.shape[1], columns)]
    clocks = [clock for clock in found if clock is not None and np.all(np.diff(clock) > 0)]
    alike = len(clocks) < len(found) or all(np.array_equal(clock, clocks[0]) for clock in clocks)
    return None if alike else clocks


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


def are_cut_unless_tiny(d: Difference) -> bool:
    """True if equal elements make shorter steps than claimed, but those of tiny gradients do not."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or r.why_not("sizes") or not d.is_stepped_as_claimed("sizes-small"):
        return False
    pairs = ((r.moves("sizes", i).value, claimed.moves("sizes", i).value) for i in range(len(SHAPES)))
    return all(np.all(np.abs(made) < (1.0 - NEAR) * np.abs(asked)) for made, asked in pairs)


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
