"""What to say of gradients that do not count as claimed."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.circumstances import SECOND
from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import (
    CLIP_POWERS,
    LARGE,
    NEIGHBOURS,
    POWERS,
    ZERO,
    T,
)
from adamcore.conformance.anatomy.facts import NEAR, Facts, near
from adamcore.conformance.anatomy.parts import beside
from adamcore.conformance.anatomy.texts import listed, number
from adamcore.conformance.anatomy.words.moments import FEW_BITS
from adamcore.conformance.types import FloatArray


def gradient(d: Difference) -> Words:
    names = d.part.differs
    if "sign" in names and "opposite" in names and (words := one_way(d)):
        return words
    if "sign" in names and (words := wrong_sign(d)):
        return words
    if "without" in names and divides_by_nothing(d):
        below, above = Facts(d.anatomy.readings).exponents
        if near(float(below[0]), 1.0) and near(float(above[0]), 1.0):  # on both sides of eps
            return "moments", "MOM.2", "a step goes with its gradient: v is 0, and NaN without one"
        if has_eps_as_claimed(d):
            text = "an element without any gradient becomes NaN, though eps counts where there is one"
            return "zero_gradient", "F2", text
        return "epsilon", "EPS.1", "an element without any gradient is divided by 0, as if eps were not there"
    if "without" in names:
        if share_of_others(d) < FEW_BITS:
            text = "an element without any gradient moves by a small part of those beside it"
            return "mixed_precision", "NUM.1", f"{text}, as where a moment has few bits"
        text = d.beside("without", "an element without any gradient moves: by lr times ")
        alone = np.any(d.anatomy.readings.moves("decay-none").value)
        return ("moments", "MOM.3", text) if alone else ("layout", "STEP.1", text)
    opposed = SECOND["opposed"].values(d.anatomy.readings) if "zero" in names else None
    if opposed is not None and np.any(opposed.value):
        return SECOND["opposed"].area, SECOND["opposed"].rule, SECOND["opposed"].text
    if "zero" in names and np.isnan(d.values("zero")[0]).all() and not np.isnan(d.values("zero")[1]).any():
        return "moments", "MOM.2", "p becomes NaN in the steps after a gradient: a root of what is below 0"
    if "zero" in names:
        return (
            "zero_gradient",
            "F2",
            d.beside("zero", "after an impulse, zero gradients change its answer by "),
        )
    if not np.any(d.anatomy.readings.moves("large").value):
        eps = number(d.anatomy.readings.hyper("eps", "large"))
        return "epsilon", "EPS.1", f"with an eps of {eps} no gradient moves p"
    if "beside others" in names and (share := share_of_any_size(d)) is not None:
        text = f"in an array of {len(NEIGHBOURS[1])} elements, whatever their gradients are,"
        if beside(d.anatomy.readings, 2).all_equal(1.0):  # there no factor of the gradient shows
            return "epsilon", "EPS.1", f"{text} eps counts {number(1.0 / share)} times as claimed"
        return "layout", "STEP.1", f"{text} a step far below eps is {number(share)} times as large"
    if "beside others" in names and (shares := shares_of_places(d)) is not None:
        text = "small gradients count, in one array after the other,"
        return "layout", "STEP.1", f"{text} {listed(shares)} times as claimed"
    if "beside others" in names and (times := share_of_one_alone(d)) is not None:
        text = f"an array of one element takes a step {number(times)} times as large as claimed"
        return "layout", "STEP.1", f"{text}; elements of longer ones are stepped as claimed"
    if "beside others" in names:
        return "clipping", "NUM.5", d.beside("beside others", "beside larger gradients a step has the share ")
    if "opposite" in names:
        return "moments", "STEP.1", d.beside("opposite", "the opposite gradient gives, times the step, ")
    if "doubled" in names:
        got, _ = d.values("doubled")
        return "moments", "STEP.1", f"twice a small gradient gives 2^{number(got[0])} times the step"
    if "proportion" in names:
        power = float(Facts(d.anatomy.readings).exponents[1][0])
        if power < -0.5 and not is_cut(d):
            text = f"far above eps, a step goes with the power {number(power)} of its gradient, not with 0"
            return "moments", "STEP.1", text
        return "clipping", "NUM.5", clip_text(d)
    return "moments", "STEP.1", d.beside("sum of two", "two impulses together give, times their sum, ")


def share_of_one_alone(d: Difference) -> float | None:
    """Return the step of an array of one element, times that claimed, if larger gradients change nothing."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or not r.moves("large", 2)[0, 0].all_equal(claimed.moves("large", 2)[0, 0]):
        return None
    return float((r.moves("large", 1) / claimed.moves("large", 1)).value[0, 0])


def shares_of_places(d: Difference) -> FloatArray | None:
    """Return what the arrays that follow each other count of small gradients; None if it is not by place.

    Those of one element are the third, the sixth and the ninth array.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or r.why_not("main"):
        return None
    small = range(len(NEIGHBOURS))  # tiny gradients, which nothing beside them in their arrays cuts
    shares = np.array(
        [(r.moves("neighbours", i) / claimed.moves("neighbours", i)).value[0, 0] for i in small]
    )
    known = np.isfinite(shares).all() and shares.all()
    alone, longer = shares[0], shares[1:]
    return shares if known and near(alone, 1.0) and not near(longer, np.ones(2)) else None


def share_of_any_size(d: Difference) -> float | None:
    """Return the share of a gradient beside others if it is that beside larger ones, tiny ones and zeros.

    What cuts gradients leaves those that are small enough.
    """
    share = d.part.values["beside others"]
    others = beside(d.anatomy.readings, 0)
    return float(share.value) if others.all_equal(share) else None


def one_way(d: Difference) -> Words | None:
    """Return the words on steps that go one way, whatever the sign of the gradient."""
    got, _ = d.values("opposite")
    return (
        ("moments", "STEP.1", "p goes the same way along a gradient and its opposite") if got[0] > 0 else None
    )


def divides_by_nothing(d: Difference) -> bool:
    """True if what has no gradient is NaN, and what has one is not."""
    r = d.anatomy.readings
    return bool(
        np.isnan(r.moves("normal").value[:, ZERO]).any() and np.isfinite(r.moves("normal").value[0, 0])
    )


def has_eps_as_claimed(d: Difference) -> bool:
    """True if first steps by gradients of any size are as claimed, and that without one is NaN."""
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or not np.isnan(r.moves("normal").value[0, ZERO]):
        return False
    first, asked = (each.moves("response")[:, : len(POWERS)] for each in (r, claimed))
    return first.all_equal(asked)


def is_cut(d: Difference) -> bool:
    """True if far below eps all gradients above some size make one step."""
    got, _ = d.values("proportion")
    sizes = got * 2.0 ** np.arange(len(got))
    cut = np.abs(got - 1.0) > NEAR
    return not cut[0] and not cut[1] and near(sizes[cut], sizes[-1])


def share_of_others(d: Difference) -> float:
    """Return the largest moment of an element without gradients, as a share of those beside it."""
    r = d.anatomy.readings
    small = np.abs(r.linear.value)
    large = np.abs(r.moves("normal").value[:, ZERO]) * r.hyper("eps") / (r.hyper("lr") * LARGE)
    return float(np.max([small[:, ZERO] / np.max(small, axis=1), large]))


def wrong_sign(d: Difference) -> Words | None:
    """Return the words on a step of the wrong sign, or that does not count its own gradient."""
    got, want = d.values("sign")
    if not np.isfinite(got).all():
        return None
    if not got.any() and d.anatomy.readings.normal.value[0, 0]:
        return "moments", "NUM.2", "a gradient of 2^-52 does not move p at all"
    if not got.all():
        return "moments", "MOM.1", "a step does not count its own gradient"
    wrong = np.flatnonzero(got != want)
    steps = ", ".join(str(t) for t in wrong[:3] + 1)
    way = "up" if want[0] > 0 else "down"
    text = f"p goes {way} along the gradient in steps {steps}, ..."
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    mine, theirs = (np.abs(np.diag(each.linear.value[:, :T])) for each in (r, claimed or r))
    from_there_on = wrong[0] > 0 and np.array_equal(wrong, np.arange(wrong[0], len(got)))
    if from_there_on and not near(mine, theirs):  # a sign alone changes no size
        return "bias_correction", "BC.1", f"{text}: from there on a correction is below 0"
    return "maximize", "MAX.1", text


def clip_text(d: Difference) -> str:
    got, _ = d.values("proportion")
    cut = np.abs(got - 1.0) > NEAR
    counts = (got * 2.0 ** np.array(CLIP_POWERS))[cut]
    if len(counts) > 1 and near(counts, counts[-1]):
        return f"far below eps, a gradient above {number(counts[-1])} moves p as one of {number(counts[-1])}"
    k = int(np.argmax(cut))
    grown = f"2^{CLIP_POWERS[k]}"
    return f"far below eps, a gradient of {grown} moves p {number(got[k])} times as far as it should"
