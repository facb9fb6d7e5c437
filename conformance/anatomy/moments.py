"""The equations of the moments and of their correction."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.anatomy.experiments import PAIRS, T
from adamcore.conformance.anatomy.facts import NEAR, STEPS, Facts, constant, near, sure
from adamcore.conformance.anatomy.texts import Equation, listed, number, times
from adamcore.conformance.types import FloatArray


def first_moment(f: Facts) -> list[Equation]:
    """Return the equations of m, if there is one."""
    if f.b1 is None:
        weights = f.weights[T - 1, T - 1 :: -1]
        return [("first moment", f"m = sum of the gradients, the newest first, times {listed(weights[:T])}")]
    if f.b1 == 0.0:
        return []
    line = ("first moment", f"m = {number(f.b1)} m + {times(f.first_weight)}g")
    return [line, *(look_ahead(f, f.b1) if f.looks_ahead else first_correction(f, f.b1))]


def first_correction(f: Facts, b1: float) -> list[Equation]:
    factor = f.first_sums * f.eps_factor / (1.0 - b1**STEPS) * (1.0 - b1) / f.first_weight
    if f.by_norm:
        text = f"m_hat = m / (1 - {number(b1)}^t), told from the first step alone"
        return [("correction", text)] if near(factor[0] * (1.0 - b1), 1.0) else []
    text = correction_of_m(factor, b1, f.b2)
    return [("correction", f"m_hat = {text}")] if text else []


def correction_of_m(factor: FloatArray, b1: float, b2: float | None) -> str:
    """Return m with the factor of each step as a text, or nothing if it is 1."""
    first = 1.0 - b1**STEPS
    under = f" / (1 - {number(b1)}^t)"
    forms = [("m", np.ones(T)), (f"m{under}", 1.0 / first)]
    if b2 is not None and 0.0 < b2 < 1.0:
        text, root = f"m sqrt(1 - {number(b2)}^t)", np.sqrt(1.0 - b2**STEPS)
        forms += [(text, root), (f"{text}{under}", root / first)]
    for text, values in forms:
        scale = constant(factor / values)
        if scale is not None:
            return "" if text == "m" and near(scale, 1.0) else f"{times(scale)}{text}"
    if near(factor[0] * first[0], 1.0):
        return f"m{under}, times {listed(factor * first)} in steps 1, 2, ..."
    return f"m times {listed(factor)} in steps 1, 2, ..."


def look_ahead(f: Facts, b1: float) -> list[Equation]:
    """Return the equation of what takes the place of m: a mix of m and g."""
    k = f.weights * f.eps_factor[:, None]
    of_m = np.array([k[t, t - 1] / ((1.0 - b1) * b1) for t in range(1, T)])
    of_g = np.array([k[t, t] for t in range(1, T)]) - of_m * (1.0 - b1)
    t, b, w = STEPS[1:], number(b1), number(1.0 - b1)
    now, then = 1.0 - b1**t, 1.0 - b1 ** (t + 1)
    if near(of_m * then, b1) and near(of_g * now, 1.0 - b1):
        text = f"m_hat = {b} m / (1 - {b}^(t+1)) + {w} g / (1 - {b}^t)"
    elif near(of_m * now, b1) and near(of_g * now, 1.0 - b1):
        text = f"m_hat = ({b} m + {w} g) / (1 - {b}^t)"
    else:
        text = f"m_hat = x m + y g with x = {listed(of_m)} and y = {listed(of_g)} in steps 2, 3, ..."
    return [("look-ahead", text)]


def second_moment(f: Facts) -> list[Equation]:
    """Return the equations of v, if there is one."""
    if not f.ever_divides and f.kept == T:
        return []
    if not f.ever_divides or f.b2 is None or f.b2 > 1.0 + NEAR:  # the weight of g^2 would be less than 0
        return [("second moment", "could not be measured")]
    same, _, small, _ = f.second["two squares"].value
    if f.divides[1] and abs(f.b2) < NEAR and abs(same) < NEAR:
        kept = constant(sure(f.second["kept"]))
        return [("second moment", "v = g^2" if not kept else f"v = max({number(kept)} v, g^2)")]
    if f.divides[1] and near(f.b2, 1.0) and near(same, 1.0):
        return sum_of_squares(f, float(small))
    cross = float(f.second["cross term"].value) if f.divides[1] else 0.0
    if abs(cross) > NEAR:
        return squared_difference(f, cross, f.b2 - cross * cross)
    text = f"v = {number(f.b2)} v + {number(1.0 - f.b2)} g^2"
    corrected, highest = second_correction(f, f.b2), maximum(f, f.b2)
    last = [*corrected, *highest] if any("v_hat," in text for _, text in highest) else [*highest, *corrected]
    return [("second moment", text), *last]


def sum_of_squares(f: Facts, small: float) -> list[Equation]:
    """The second moment where no square fades; ``small`` is what a smaller one after a larger one adds."""
    newest = f.newest_squares
    weight, b2 = constant(newest), float(newest[0] / newest[1]) - 1.0
    lines = []
    if weight is None and (weight := constant(newest * (1.0 - b2**STEPS))) is not None:
        lines.append(("correction", f"v_hat = v / (1 - {number(b2)}^t)"))
    size = times(1.0 if weight is None else weight)
    if near(small, 1.0):
        return [("second moment", f"v = v + {size}g^2"), *lines]
    share = (small - 1.0) / PAIRS[2][1] ** 2 + 1.0
    if near(share, -1.0):
        return [("second moment", f"v = v - {size}sign(v - g^2) g^2"), *lines]
    text = f"v = v + {size}g^2, and {number(share)} times that where g^2 is less than v"
    return [("second moment", text), *lines]


def squared_difference(f: Facts, cross: float, b2: float) -> list[Equation]:
    """What is squared holds earlier gradients too; ``cross`` is the weight of the last one, of the newest."""
    corrected = constant(f.newest_squares * (1.0 - b2**STEPS))
    size = float(np.sqrt((f.newest_squares[-1] if corrected is None else corrected) / (1.0 - b2)))
    b1, w = f.b1 or 0.0, f.first_weight
    what = f"({number(size)} g {'-' if cross < 0 else '+'} {number(abs(size * cross))} g_before ...)"
    if near(size, 1.0 - w) and near(size * cross, -w * b1):
        what = "(g - m)"
    elif near(size, 1.0) and near(cross, -w):
        what = "(g - m_before)"
    line = ("second moment", f"v = {number(b2)} v + {number(1.0 - b2)} {what}^2")
    return [line, *([] if corrected is None else [("correction", f"v_hat = v / (1 - {number(b2)}^t)")])]


def maximum(f: Facts, b2: float) -> list[Equation]:
    """Return what stands in the place of v, if older squares keep more of their weight than in v."""
    kept = sure(f.second["kept"])
    there = np.isfinite(kept)
    ages = STEPS[1 : len(kept) + 1][::-1]
    if near(kept[there], b2):
        return []
    if near(kept[there], 1.0):
        return [("maximum", "v_max = max(v_max, v), in the place of v")]
    if near(kept[there], ((1.0 - b2**ages) / (1.0 - b2 ** (ages - 1)))[there]):
        return [("maximum", "v_max = max(v_max, v_hat), in the place of v_hat")]
    return [("maximum", f"older squares keep {listed(kept)} of their weight, the newest first")]


def second_correction(f: Facts, b2: float) -> list[Equation]:
    plain, text = 1.0 - b2**STEPS, f"v_hat = v / (1 - {number(b2)}^t)"
    if f.by_norm:
        shown = near(f.second_sums[0], 1.0)
        return [("correction", f"{text}, told from the first step alone")] if shown else []
    if not f.always_divides:  # what an impulse shows that comes once steps are divided
        newest = f.newest_squares[f.divides]
        corrected = near(newest * plain[f.divides], 1.0 - b2) and not near(newest, newest[0])
        return [("correction", text)] if corrected else []
    if (scale := constant(f.second_sums)) is not None:
        return [("correction", text.replace("v /", f"{times(scale)}v /"))]
    if (scale := constant(f.second_sums / plain)) is not None:
        return [] if near(scale, 1.0) else [("correction", f"v_hat = {scaled_second(scale, b2)}")]
    return [("correction", f"v_hat = v times {listed(f.second_sums / plain)} in steps 1, 2, ...")]


def scaled_second(scale: float, b2: float) -> str:
    """Return v times a number that is the same in all steps; it may be a correction that stands still."""
    power = next((k for k in range(1, T) if near(1.0 / scale, 1.0 - b2**k)), None)
    if power is not None:
        return f"v / (1 - {number(b2)}^{power})"
    return f"v / {number(1.0 / scale)}" if scale > 1.0 else f"{times(scale)}v"
