"""What to say of a decay that is not as claimed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from adamcore.axes import RELATIVE
from adamcore.conformance.anatomy.decay import mask_decider
from adamcore.conformance.anatomy.differences import Difference, Words
from adamcore.conformance.anatomy.experiments import DECAYED, LATE, T, experiment
from adamcore.conformance.anatomy.facts import NEAR, constant, near
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.readings import readings_of_claim
from adamcore.conformance.anatomy.texts import number
from adamcore.conformance.anatomy.words.replays import power_of_gradient
from adamcore.conformance.anatomy.words.steps import clock
from adamcore.conformance.rules import RULE_OF
from adamcore.conformance.types import FloatArray, Start

SLIGHT = 0.25  #: a power that differs by less is no other power
ABOUT = 0.1  #: by what share a fading may be off where p, by which it is divided, changes as well


def decay(d: Difference) -> Words:
    got, _ = d.values("two dimensions")
    if (late := late_steps(d)) is not None:
        return clock(late)
    if is_left_out(d):
        return "zero_gradient", "F2", "a step in which every gradient is 0 is left out: nothing decays in it"
    if d.part.differs == ["two dimensions"] and constant(got) is None:
        return "layout", "STEP.1", d.beside("two dimensions", "elements of a matrix decay by ")
    if d.differs("without decay", "sizes without decay"):
        p = d.anatomy.readings.positions("decay-none")
        if np.any(p[1] != p[0]) and np.array_equal(np.sort(p[1]), np.sort(p[0])):
            return (
                "layout",
                "STEP.1",
                "without any gradient elements come back in other places of their array",
            )
        if has_few_exponents(p):
            text = "without any gradient a small parameter becomes 0 and a large one infinite"
            return "mixed_precision", "NUM.1", f"{text}: p is kept with few bits for its exponent"
        if (lost := largest_lost(p)) is not None:
            return "moments", "NUM.2", f"a parameter of {number(lost)} becomes 0 without any gradient"
        if not p[1:].any() and not np.any(d.anatomy.readings.positions("normal")):
            return "clipping", "NUM.5", "after a step every parameter is 0, whatever its gradient"
        for made, what in ((np.sign(p[0]), "sign"), (np.abs(p[0]), "size")):
            if np.array_equal(p[1], made):
                return "moments", "STEP.1", f"p becomes its {what} in a step, though there is no gradient"
        others = np.any((np.abs(p[1]) > np.abs(p[0])) | (p[1] * p[0] < 0)) and np.isfinite(p[1]).all()
        grows = others and np.array_equal(p[1], p[-1])
        if grows:
            text = (
                "the first step puts other numbers into p, though there is no gradient; later ones leave them"
            )
            return "aliasing", "STATE.2", text
        if p[1, DECAYED.index(1.0)] <= 0:
            return "moments", "STEP.1", "p does not go on from where it was, though there is no gradient"
        if np.any(p[1] != p[0]) and np.array_equal(p[1], p[-1]):
            return (
                "clipping",
                "NUM.5",
                "without any gradient p moves once, and then stays: it is cut to a size",
            )
        if start_of_first(d):
            return "moments", "MOM.3", "m does not start at 0: without any gradient p moves, ever less"
        if (always := constant_gradient(d)) is not None:
            text = f"without any gradient p moves as with one of {number(always)} in each step"
            if near(always, d.anatomy.readings.hyper("eps")):
                return "epsilon", "EPS.1", f"{text}, which is eps"
            return "moments", "MOM.1", text
        if (share := moved_by_epsilon(d)) is not None:
            text = f"without any gradient p moves by {number(share)} times lr, whatever eps is"
            return "epsilon", "EPS.1", f"{text}: eps counts in what is divided by the root"
        if (least := floor_of_first(d)) is not None:
            text = f"without any gradient p moves as by an m of {number(least)} that does not fade"
            return "storage", "MOM.1", f"{text}: no m of 0 is kept"
        if fades_away(d):
            return "moments", "MOM.3", "moments do not start at 0: without any gradient p moves, ever less"
        if moved_by_others(d):
            text = "elements without any gradient move, by one length whatever p is"
            return "layout", "STEP.1", f"{text}, where others have gradients"
    both = [r for r in (d.anatomy.readings, d.anatomy.claimed) if r is not None]
    tiny = [r.moves("decay", 3)[0, 0] for r in both]
    rows = [r.moves("decay", 5)[0] for r in both]
    still = [r.moves("decay", 1)[0] for r in both]  # zeros where "rows" has tiny gradients
    zeros = d.differs("zero") and not d.differs("order", "opposite") and tiny[0].all_equal(tiny[1])
    if (
        (zeros or d.part.differs == ["two dimensions"])
        and rows[0].all_equal(rows[1])
        and not still[0].all_equal(still[1])
    ):
        text = "a parameter decays in another way if its gradient is 0 than if it is tiny"
        if d.anatomy.claim is not None and d.anatomy.claim.cautious_decay:  # a step of 0 moves nothing away
            return "decay", "DEC.6", f"{text}: a step of 0 is no step towards 0"
        return "zero_gradient", "F2", text
    if start_under_penalty(d):
        return "moments", "MOM.3", "m does not start at 0: under decay p moves farther at first, ever less"
    got, want = d.values("rate")
    if not got.any() and want.any():
        return "decay", decay_rule(d), "nothing decays, whatever weight_decay is"
    masked = mask_text(d)
    if masked is not None:
        return "decay", "DEC.6", masked
    name = next((name for name in DECAY_TEXTS if d.differs(name) and not is_near_power(d, name)), "sizes")
    return "decay", "DEC.5" if name == "order" else decay_rule(d), DECAY_TEXTS[name](d)


def is_left_out(d: Difference) -> bool:
    """True if nothing decays in later steps without any gradient, and all else of decay is as claimed."""
    if not d.part.differs or set(d.part.differs) - {"changed lr", "late"}:
        return False
    return not any(np.any(d.values(name)[0]) for name in d.part.differs)


def largest_lost(p: FloatArray) -> float | None:
    """Return the largest parameter of those that a step takes to 0 if they are the smallest ones, or None.

    Args:
        p: the parameters before the first step and after each.
    """
    sizes, moved = np.abs(p[0]), p[1] != p[0]
    if not moved.any() or moved.all() or np.any(p[1, moved]) or np.max(sizes[moved]) >= np.min(sizes[~moved]):
        return None
    return float(np.max(sizes[moved]))


def mask_text(d: Difference) -> str | None:
    """Return which elements decay, if these are not the claimed ones."""
    if d.anatomy.claim is None or not d.differs("away", "against the gradient"):
        return None
    away, against = (d.values(name)[0] for name in ("away", "against the gradient"))
    if np.isinf(away[0]):
        return "p decays only where the step moves it away from 0"
    if abs(away[0]) > NEAR:
        cautious = d.anatomy.claim.cautious_decay
        return "p decays where the step moves it away from 0 too" if cautious else None
    decider = mask_decider(away, against)
    return decider and f"p decays only where the {decider} does not move it away from 0"


def start_of_first(d: Difference) -> bool:
    """True if what moves p without gradients and decay fades as a first moment does."""
    readings = d.anatomy.readings
    b1 = readings.hyper("b1")
    moved = readings.moves("decay-none").value[:7, DECAYED.index(1.0)]
    with np.errstate(all="ignore"):
        fading = moved[1:] / moved[:-1]
    t = np.arange(1, 8)
    corrected = near(fading, b1 * (1.0 - b1 ** t[:-1]) / (1.0 - b1 ** t[1:]))
    return corrected or near(fading, b1) or is_start_of_claim(d, fading)


def fades_away(d: Difference) -> bool:
    """True if what moves p without gradients and decay goes on and fades, and is no share of p."""
    r = d.anatomy.readings
    moved, p = np.abs(r.moves("decay-none").value), np.abs(r.positions("decay-none")[0])
    there = np.all(moved > 0, axis=0) & (p <= 1.0)  # beside larger parameters, small moves are rounded
    fading = np.all(np.diff(moved[:, there], axis=0) < 0) and np.all(moved[-1, there] < 0.5 * moved[0, there])
    shares = moved[0, there] / p[there]
    return bool(np.count_nonzero(there) > 1 and fading and not near(shares, shares[0]))


def floor_of_first(d: Difference) -> float | None:
    """Return the first moment that moves p in all steps without gradients if it is one and the same, or None.

    It is looked for in the smallest parameter, which the smallest moment moves.
    """
    readings = d.anatomy.readings
    moved, t = readings.moves("decay-none")[:, np.argmin(np.abs(DECAYED))], np.arange(1, T + 1)
    kept = moved * Measured(1.0 - readings.hyper("b1") ** t)
    if not np.all(moved.value) or not kept.all_equal(kept[0]):
        return None
    return abs(float(kept.value[0])) * readings.hyper("eps") / readings.hyper("lr")


def is_start_of_claim(d: Difference, fading: FloatArray) -> bool:
    """True if the claim, from a first moment above 0, makes steps that fade in this way."""
    r, claim = d.anatomy.readings, d.anatomy.claim
    if claim is None:
        return False
    probe = experiment("start", "", [np.ones(1)], [[np.zeros(1)]] * 7, **r.probes["main"].hyper)
    zero = np.zeros(1)
    probe = replace(probe, start=(Start(0, np.full(1, 1e-3), zero, zero),))
    moved = readings_of_claim(claim, {"start": probe}, r.dtype).moves("start").value[:, 0]
    return near(fading, moved[1:] / moved[:-1])


def constant_gradient(d: Difference) -> float | None:
    """Return the gradient with which the claim makes the steps made without any, or None.

    They do not depend on p, and far above eps no gradient could be told from another.
    """
    r, claim = d.anatomy.readings, d.anatomy.claim
    moved = r.moves("decay-none")
    small = [moved[:, i] for i, p in enumerate(DECAYED) if abs(p) <= 1.0]
    if claim is None or not np.any(small[0].value) or not all(each.all_equal(small[0]) for each in small):
        return None

    def steps(g: float) -> Measured:
        probe = experiment("offset", "", [np.zeros(1)], [[np.full(1, g)]] * T, **r.probes["main"].hyper)
        return readings_of_claim(claim, {"offset": probe}, r.dtype).moves("offset")[:, 0]

    sign = np.sign(small[0].value[0] * steps(1.0).value[0])
    power = power_of_gradient(lambda g: steps(sign * g), small[0], 60.0)
    g = float(sign * 2.0**power)
    return g if power < 59.0 and steps(g).all_equal(small[0]) else None


def moved_by_epsilon(d: Difference) -> float | None:
    """Return the first step without any gradient over lr if every eps makes the same one, or None.

    What is added to all steps, far above eps as well, is no eps.
    """
    r, claimed = d.anatomy.readings, d.anatomy.claimed
    if claimed is None or not near(*(each.moves("normal").value[0, 0] for each in (r, claimed))):
        return None
    shares = [float(r.moves(name).value[0, -1] / r.hyper("lr", name)) for name in ("response", "large")]
    is_told = r.hyper("eps", "response") != r.hyper("eps", "large")
    return shares[0] if is_told and shares[0] and near(*shares) else None


def moved_by_others(d: Difference) -> bool:
    """True if small elements without gradients move by one length in the first step, whatever their size."""
    moved = d.anatomy.readings.moves("decay-none")[0]
    small = [moved[i] for i, p in enumerate(DECAYED) if abs(p) < 1.0]
    return all(each.all_equal(small[0]) for each in small) and bool(small[0].value != 0)


def start_under_penalty(d: Difference) -> bool:
    """True if what decay moves beyond the claim fades about as a first moment does."""
    claim, b1 = d.anatomy.claim, d.anatomy.readings.hyper("b1", "decay")
    excess = np.subtract(*d.values("rate"))
    if claim is None or claim.decay != "l2" or not np.all(excess > 0):
        return False
    t = np.arange(1, len(excess) + 1)
    fading = b1 * (1.0 - b1 ** t[:-1]) / (1.0 - b1 ** t[1:])
    return bool(np.all(np.abs(excess[1:] / excess[:-1] / fading - 1.0) < ABOUT))


def is_near_power(d: Difference, name: str) -> bool:
    """True for a power that differs a little, as that of a factor that is a power of another does."""
    got, want = d.values(name)
    return name.startswith("power") and abs(float(got[0] - want[0])) < SLIGHT


def decay_rule(d: Difference) -> str:
    if d.anatomy.claim is None or d.anatomy.claim.decay not in ("l2", *RELATIVE):
        return "DEC.2"
    return RULE_OF["decay"][d.anatomy.claim.decay]


def has_few_exponents(p: FloatArray) -> bool:
    """True if the smallest parameters are 0 after a step, the largest infinite, and one between is there."""
    kept = p[1][np.argsort(np.abs(p[0]))]
    return bool(kept[0] == 0 and np.isinf(kept[-1]) and np.any(kept == np.sort(np.abs(p[0]))))


def late_steps(d: Difference) -> Difference | None:
    """Return what late steps differ in if decay is another in late steps alone, as these are; or None."""
    if d.part.differs != ["late"]:
        return None
    [steps] = [part for part in d.anatomy.parts if part.name == "clock"]
    return None if steps.as_claimed else Difference(d.anatomy, steps)


def rate_text(d: Difference) -> str:
    got, want = d.values("rate")
    ratio, times = constant(got / want), constant(np.log1p(-got) / np.log1p(-want))
    if ratio is not None and times is not None and times > 1.5 and near(times, round(times)):
        often = f"p is multiplied by its factor {round(times)} times in each step"
        return f"weights decay {number(ratio)} times as fast as claimed: {often}"
    if ratio is not None:
        return (
            f"weights decay {number(ratio)} times as fast as claimed, by {number(got[0])} in the first step"
        )
    return d.beside("rate", "the part of p that decays in steps 1, 2, ... is ")


DECAY_TEXTS: dict[str, Callable[[Difference], str]] = {
    "without decay": lambda d: d.beside("without decay", "without weight decay, weights decay by "),
    "sizes without decay": lambda d: d.beside(
        "sizes without decay", "without weight decay the part of p that decays is, by the size of p, "
    ),
    "power of lr": lambda d: d.beside("power of lr", "decay goes with lr to the power "),
    "power of decay": lambda d: d.beside("power of decay", "decay goes with weight_decay to the power "),
    "rate": rate_text,
    "sizes": lambda d: d.beside("sizes", "the part of p that decays is, by the size of p, "),
    "two dimensions": lambda d: d.beside("two dimensions", "an array of two dimensions decays by "),
    "order": lambda d: d.beside("order", "the share of the step that decays too is "),
    "opposite": lambda d: d.beside("opposite", "of a step away from zero the share that decays too is "),
    "away": lambda d: d.beside("away", "where the step moves p away from 0, decay is times "),
    "against the gradient": lambda d: d.beside(
        "against the gradient", "where the step goes up along g, decay is times "
    ),
    "changed lr": lambda d: d.beside("changed lr", "after lr was changed, weights go down by "),
    "late": lambda d: d.beside("late", f"in steps {', '.join(map(str, LATE))} weights go down by "),
}
"""What is wrong with decay, by the value that differs, the most telling one first."""
