"""The equations of weight decay, and of steps without a gradient."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.experiments import ABSENT, CHANGED, LR_FACTOR, ZERO
from adamcore.conformance.anatomy.facts import NEAR, Facts, constant, near
from adamcore.conformance.anatomy.parts import absence as absence_values
from adamcore.conformance.anatomy.parts import decay as decay_values
from adamcore.conformance.anatomy.texts import Equation, listed, number, shortened
from adamcore.conformance.types import FloatArray

NOTHING = 1e-9  #: a rate of decay below this is rounding


def decay(f: Facts) -> list[Equation]:
    """Return the equation of weight decay, if p decays."""
    r = f.readings
    if why := r.why_not("decay"):
        return [("decay", f"could not be measured: {shortened(why)}")]
    found = {name: value.value for name, value in decay_values(r).items()}
    sizes, rate = found["sizes"], found["rate"]
    rate = rate - r.moves("normal").value[: len(rate), ZERO]
    if np.all(np.abs(rate) < NOTHING):
        return []
    if f.by_norm:
        return [("decay", f"p = (1 - {number(rate[0])}) p in a step with zero gradients")]
    wd, share = r.probes["decay"].hyper.get("weight_decay", 0.0), coupled_share(f)
    if share is not None and not (constant(rate) is not None and near(sizes, sizes[0])):
        return [("decay", f"g = g + {'wd' if near(share, wd) else number(share)} p, before all else")]
    if constant(rate) is None:
        return [("decay", f"p = (1 - x) p with x = {listed(rate)} in steps 1, 2, ...")]
    when = "after" if abs(float(found["order"]) - 1.0) < 0.5 else "before"
    if (often := repeated(f, float(rate[0]))) > 1:
        return [("decay", f"p = (1 - lr wd)^{often} p, {when} the step{where(found)}")]
    powers = tuple(float(found[name]) for name in ("power of lr", "power of decay"))
    return [("decay", f"p = p - {rate_text(f, float(rate[0]), powers)} p, {when} the step{where(found)}")]


def where(found: dict[str, FloatArray]) -> str:
    """Return in which elements p decays, if not in all."""
    decider = mask_decider(found["away"], found["against the gradient"])
    return f", where the {decider} does not move it away from 0" if decider else ""


def mask_decider(away: FloatArray, against: FloatArray) -> str | None:
    """Return what picks the elements that decay, "step" or "gradient"; None if all decay, or if it is L2.

    Args:
        away: the share of its decay that a parameter has whose step moves it away from 0.
        against: that of one with a step towards 0 up along its gradient, and of one with a step away from 0.
    """
    toward, from_zero = (bool(abs(share) > NEAR) for share in against)
    if abs(float(np.ravel(away)[0])) > NEAR or toward == from_zero:
        return None
    return "step" if toward else "gradient"


def repeated(f: Facts, rate: float) -> int:
    """Return how often p is multiplied by 1 - lr*wd in one step, or 0 if that gives another rate."""
    hyper = f.readings.probes["decay"].hyper
    factor = 1.0 - hyper["lr"] * hyper.get("weight_decay", 0.0)
    if not 0.0 < factor < 1.0 or not 0.0 < rate < 1.0:
        return 0
    often = float(np.log1p(-rate) / np.log(factor))
    return round(often) if near(often, round(often)) else 0


def rate_text(f: Facts, rate: float, powers: tuple[float, ...]) -> str:
    """Return a rate of decay as a product of a number and powers of lr and wd."""
    hyper = f.readings.probes["decay"].hyper
    factor, texts = rate, []
    for name, ours, power in zip(("lr", "wd"), ("lr", "weight_decay"), powers, strict=True):
        if ours in hyper and abs(power) > NEAR:
            factor /= hyper[ours] ** power
            texts.append(name if abs(power - 1.0) < NEAR else f"{name}^{number(power)}")
    ratio = ratio_power(f)
    if ratio is not None and ratio - powers[0] > 0.5:
        texts.insert(
            len(texts) - 1,
            "(lr/lr_max)" if near(ratio - powers[0], 1.0) else f"(lr/lr_max)^{number(ratio - powers[0])}",
        )
    return " ".join([*([] if near(factor, 1.0) and texts else [number(factor)]), *texts])


def ratio_power(f: Facts) -> float | None:
    """Return by which power of lr a rate of decay follows it in mid-run; None if that was not measured."""
    p = f.readings.positions("lr-decay")[:, 0]
    rates = 1.0 - p[1:] / p[:-1]
    before, after = rates[CHANGED - 2], rates[CHANGED - 1]
    return float(np.log(after / before) / np.log(LR_FACTOR)) if before > 0 and after > 0 else None


def coupled_share(f: Facts) -> float | None:
    """Return the part of p that is added to the gradient, or None if p does not decay in this way.

    It is told from a parameter that is far below eps, where the weights of the gradients are known.
    """
    r = f.readings
    p = r.positions("decay")[:, 0]
    lr = r.hyper("lr", "decay")
    k = f.weights if f.is_linear else f.weights / r.hyper("eps")
    share = float((p[0] - p[1]) / (lr * k[0, 0] * p[0]))
    for t in range(1, len(p)):
        if not near(p[t - 1] - p[t], lr * share * float(k[t - 1, :t] @ p[:t])):
            return None
    return share


def absence(f: Facts) -> list[Equation]:
    """Return what steps without a gradient do."""
    r = f.readings
    run = r.runs.get("absence")
    if run is not None and run.error:
        what = "None" if len(run.params) < ABSENT[1][0] else "a step in which all are None"
        return [("no gradient", f"{what} is an error ({run.error.partition(':')[0]})")]
    if why := r.why_not("absence"):
        return [("no gradient", f"could not be run: {shortened(why)}")]
    found = {name: value.value for name, value in absence_values(r).items()}
    absent = [t - 1 for t in ABSENT[1]]
    moved, decayed = (found[f"{what} of the second"][absent] for what in ("moves", "decay"))
    texts = ["p goes on" if np.any(np.abs(moved) > NOTHING) else "p stands still"]
    if np.any(np.abs(decayed) > NOTHING):
        texts.append("and decays")
    first, second = (found[f"newest of {name}"] for name in ("the first", "the second"))
    if not near(first, second):
        texts.append("its clock too" if texts == ["p stands still"] else "its clock stands still")
    elif f.b1 and constant(f.first_sums) is not None:
        texts.append("the clock goes on")
    return [("no gradient", ", ".join(texts))]
