"""What to say of arrays that are not stepped as claimed, beside others or alone."""

from __future__ import annotations

from functools import partial

import numpy as np

from adamcore.conformance.anatomy.differences import SLIGHT, Difference, Words
from adamcore.conformance.anatomy.experiments import (
    EXPERIMENTS,
    LEVERS,
    NEIGHBOURS,
    T,
)
from adamcore.conformance.anatomy.facts import near
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.ordinary import SHAPES
from adamcore.conformance.anatomy.readings import Readings, readings_of_claim
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.anatomy.words.clocks import is_stepped_often, is_stepped_twice
from adamcore.conformance.anatomy.words.moments import correction, first_moment, second_moment
from adamcore.conformance.anatomy.words.not_finite import not_finite
from adamcore.conformance.anatomy.words.replays import power_of_gradient
from adamcore.conformance.anatomy.words.still import factors_without_averages, still
from adamcore.conformance.types import FloatArray

OF_SCALARS = ("nesterov", "bias_correction", "clock")  #: areas of what a step has one of for all elements


def arrays(d: Difference) -> Words:
    if d.differs("finite"):
        return not_finite(d)
    if d.differs("stepped"):
        return still(d)
    if are_left_out_again(d):
        return "missing", "F1", "a gradient that is the same as the one before counts as absent"
    last = "the last of two equal arrays makes, times the step, "
    if d.differs("place") and (most := cut_alone(d)) is not None:
        text = f"a gradient that is alone in its step is cut to {number(most)}"
        return "clipping", "CLIP.2", f"{text}; beside others, two equal arrays make other steps"
    if d.differs("place") and is_of_root(d):
        return "moments", "MOM.2", f"{d.beside('place', last)}: the root is that of other arrays too"
    if d.differs("place") and (factors := factors_without_averages(d)) is not None:
        text = "without averages, to which no clock matters, the steps of an array go on changing: they are"
        return "schedule", "LR.1", f"{text} {listed(factors)} times its last one"
    if d.differs("place") and np.isfinite(d.values("place")[0]).all():
        return (*meaning_of_place(d.values("place")[0]), d.beside("place", last))
    if (longest := longest_update(d)) is not None:
        text = "the steps of all arrays together are cut to a length of"
        return "clipping", "NUM.5", f"{text} {number(longest)}"
    if (words := place_of_first(d) or first_alone(d)) is not None:
        return words
    if forget_small(d):
        text = "beside arrays of large gradients the moments of a small one are 0 after its step"
        return "storage", "STORE.9", f"{text}: arrays share a scale, or few bits"
    ratio, _ = d.values("alone")
    if (words := scalars_beside_others(d)) is not None:
        return words
    if is_stepped_often(d, "sizes", range(len(SHAPES)), 2):
        return "moments", "MOM.1", "beside others each array is stepped twice in each step, alone once"
    text = f"without other arrays beside it, a step is {number(ratio[0])} times as large"
    if counts_arrays(d):
        return "schedule", "LR.1", f"{text}, whatever its size: the number of arrays counts"
    if ratio[0] > 4 and is_of_root(d):
        return "moments", "MOM.2", f"{text}, though not far below eps: the root is that of other arrays too"
    if ratio[0] > 1 and (most := cut_alone(d)) is not None:
        text = f"gradients are scaled down with those of other arrays; alone, one is cut to {number(most)}"
    return ("clipping", "NUM.5", text) if ratio[0] > 1 else ("isolation", "STATE.3", text)


def cut_alone(d: Difference) -> float | None:
    """Return the gradient with which the claim makes the steps of a much larger one alone, or None."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None or r.why_not("alone"):
        return None
    moved, probe = r.moves("alone")[:, 0], r.probes["alone"]

    def steps(g: float) -> Measured:
        cut = probe.each_gradient(lambda x: np.sign(x) * g)
        return readings_of_claim(claim, {"alone": cut}, r.dtype).moves("alone")[:, 0]

    power = power_of_gradient(steps, moved, 40.0)
    return float(2.0**power) if power < 30.0 and steps(2.0**power).all_equal(moved) else None


def forget_small(d: Difference) -> bool:
    """True if of small gradients beside larger ones each step has its own, and nothing of older ones."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return False
    older = np.tri(T, k=-1, dtype=bool)
    made, asked = (each.linear.value[:, :T] for each in (r, claimed))
    return bool(np.all(np.diagonal(made)) and not np.any(made[older]) and np.all(asked[older]))


def are_left_out_again(d: Difference) -> bool:
    """True if of constant gradients the first alone moves p."""
    r = d.anatomy.readings
    if "unit" not in r.probes or r.why_not("unit"):
        return False
    moved = r.moves("unit", 1).value[:, 0]
    return bool(moved[0] != 0 and len(moved) > 1 and not np.any(moved[1:]))


def meaning_of_place(ratio: FloatArray) -> tuple[str, str]:
    """Return the area and the rule of equal arrays whose second steps have this ratio.

    A step against the other one is none of another clock.  Neither is one whose corrections stand in it once
    more for each array before it.  Where they stand in it once more, its moments hold its own gradient alone:
    with these betas the newest gradient has the same weight in m and in the root of v.
    """
    b1, b2 = LEVERS["b1"], LEVERS["b2"]
    corrections = np.sqrt(1 - b2**2) / (1 - b1**2)
    if (ratio < 0).all():
        return "maximize", "MAX.1"
    if near(ratio, corrections):
        return "moments", "MOM.1"
    if any(np.all(times > 1.5) and near(times, np.round(times)) for times in (ratio, 1.0 / ratio)):
        return "moments", "STEP.1"  # one of the two is stepped so often
    if any(near(ratio, corrections**k) for k in range(2, 41)):
        return "bias_correction", "BC.1"
    return "clock", "CLK.1"


def is_of_root(d: Difference) -> bool:
    """True if other arrays change the steps by the root alone.

    What cuts gradients does so far below eps too.  What cuts updates shortens all steps by one factor.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or not all(
        r.moves("large", i).all_equal(claimed.moves("large", i)) for i in range(len(NEIGHBOURS))
    ):
        return False
    tiny, large = of_claimed(r, claimed)
    return bool(np.isfinite([tiny, large]).all()) and not near(tiny, large)


def of_claimed(r: Readings, claimed: Readings) -> tuple[float, float]:
    """Return the first steps of gradients far below eps and far above it, times those claimed."""
    tiny, large = (getattr(r, name) / getattr(claimed, name) for name in ("linear", "normal"))
    return tiny.value[0, 0], large.value[0, 0]


def counts_arrays(d: Difference) -> bool:
    """True if other arrays multiply all steps by one number, also those that are too small to be cut."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return False
    tiny, large = of_claimed(r, claimed)
    small = np.array(
        [(r.moves("large", i) / claimed.moves("large", i)).value[0, 0] for i in range(len(NEIGHBOURS))]
    )
    shares = np.array([tiny, large, *small])
    if not np.isfinite(shares).all() or not shares.all():
        return False
    return near(tiny, large) and near(small, small[0]) and not near(tiny, 1.0) and not near(small[0], 1.0)


def longest_update(d: Difference) -> float | None:
    """Return the length that the first steps of all arrays together have wherever they should be longer."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None:
        return None
    names = [name for name in EXPERIMENTS if name in r.probes and not r.why_not(name)]
    pairs = [(first_length(r, name), first_length(claimed, name)) for name in names]
    cut = [got for got, want in pairs if got < (1.0 - SLIGHT) * want]
    whole = all(near(got, min(want, cut[0])) for got, want in pairs if want) if cut else False
    return cut[0] if whole and len(cut) > 1 else None


def first_length(r: Readings, name: str) -> float:
    """Return the length of the first step of all arrays of an experiment together."""
    count = len(r.probes[name].params)
    return float(np.linalg.norm(np.concatenate([r.moves(name, i).value[0] for i in range(count)])))


def place_of_first(d: Difference) -> Words | None:
    """Return the words on arrays that are stepped in another way than the first one, or None."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or "zeros" not in r.probes or r.why_not("zeros"):
        return None
    if not all(r.moves(name).all_equal(claimed.moves(name)) for name in ("alone", "zeros")):
        return None
    text = "the first array is stepped as claimed, alone and beside others; those after it are not: "
    return "layout", "STEP.1", d.beside("alone", f"{text}its step over theirs is ")


def first_alone(d: Difference) -> Words | None:
    """Return the words on a first array that alone is stepped in another way than claimed, or None."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or r.why_not("main"):
        return None
    after = ("normal", "neighbours", "scale", "signs", "last")
    if not all(r.moves(name).all_equal(claimed.moves(name)) for name in after):
        return None
    if r.moves("linear").all_equal(claimed.moves("linear")):  # tiny gradients move it as claimed
        if not r.moves("alone").value.any():
            return "moments", "STEP.1", "an array of one element does not move without others"
        if (times := times_apart(d)) is None:
            return None
        text = f"the first array is stepped {times} times in each step, by 1/{times} of its gradient"
        return "moments", "STEP.1", f"{text} and with moments of its own each time"
    if is_stepped_twice(d, "main"):
        return "moments", "MOM.1", "the first array is stepped twice in each step, alone and beside others"
    text = "the first array is not stepped as claimed, and those after it are: its step over theirs is "
    return "layout", "STEP.1", d.beside("alone", text)


def times_apart(d: Difference) -> int | None:
    """Return how often an array is stepped, each time by its part of a gradient and own moments, or None."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None or r.why_not("alone"):
        return None
    probe = r.probes["alone"]
    for times in (2, 3, 4):
        part = probe.each_gradient(partial(np.multiply, 1.0 / times))
        one = readings_of_claim(claim, {"alone": part}, r.dtype).moves("alone")
        if r.moves("alone").all_equal(one * times):
            return times
    return None


def scalars_beside_others(d: Difference) -> Words | None:
    """Return the words on the scalars of a step that other arrays change, or None if it is something else."""
    parts = {part.name: part for part in d.anatomy.parts}
    if set(parts["gradient"].differs) - {"beside others"}:
        return None  # gradients are cut or scaled, by all of them together
    for name, words in (
        ("first moment", first_moment),
        ("second moment", second_moment),
        ("correction", correction),
    ):
        if not parts[name].as_claimed:
            area, rule, text = words(Difference(d.anatomy, parts[name]))
            return (area, rule, f"beside other arrays, {text}") if area in OF_SCALARS else None
    return None
