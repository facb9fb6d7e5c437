"""The update rule as it was measured: equations with numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adamcore.conformance.anatomy.decay import absence, decay
from adamcore.conformance.anatomy.experiments import SCALES, SIGN_SIZES, T
from adamcore.conformance.anatomy.facts import BESIDE, LARGER, NEAR, ROUGH, UNDER, Facts, near
from adamcore.conformance.anatomy.moments import first_moment, second_moment
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.anatomy.texts import Comparison, Equation, listed, number, shortened
from adamcore.conformance.types import FloatArray

WITHOUT_EPS: list[Equation] = [
    ("moments", "could not be told apart: no step shrinks with its gradients, as if eps were not there"),
    ("step", "p = p - lr u, with a u that stays if all gradients are multiplied by one number"),
]
"""The equations where there is no eps, far below which m counts alone."""


def equations(readings: Readings) -> list[Equation]:
    """Return the rule: each part that there is, in the order in which it is computed, with its equation."""
    if why := readings.why_not("main"):
        return [("rule", f"could not be measured: {shortened(why)}")]
    f = Facts(readings)
    if f.is_sign:
        return [*gradient(f), *signs(f), *decay(f), *absence(f)]
    if f.shows_no_eps:
        return [*gradient(f), *WITHOUT_EPS, *decay(f), *absence(f)]
    first, second = first_moment(f), second_moment(f)
    return [*gradient(f), *first, *second, *update(f, first, second), *decay(f), *absence(f)]


def beside(claimed: Sequence[Equation], measured: Sequence[Equation]) -> list[Comparison]:
    """Return both rules side by side: the equations of one part with the same left side make one line.

    >>> beside([("decay", "p = p - lr wd p, before the step")], [("decay", "p = p - wd p, before the step")])
    [('decay', 'p = p - lr wd p, before the step', 'p = p - wd p, before the step')]
    """
    ours, theirs = ({(part, left_side(text)): text for part, text in rule} for rule in (claimed, measured))
    free = [key for key in ours if key not in theirs]
    lines = {key: (key[0], text, "") for key, text in ours.items()}
    order, place = list(ours), 0
    for key, text in theirs.items():
        here = key if key in ours else next((k for k in free if k[0] == key[0]), None)
        if here is None:
            here = key
            order.insert(place, key)
        elif here in free:
            free.remove(here)
        lines[here] = key[0], ours.get(here, ""), text
        place = order.index(here) + 1
    return [lines[key] for key in order]


def left_side(text: str) -> str:
    return text.partition(" = ")[0] if " = " in text else ""


def gradient(f: Facts) -> list[Equation]:
    """Return what is done to the gradient, and what happens without one."""
    lines = [("gradient", "g = -g")] if f.sign < 0 else []
    begun = [(name, value) for name, value in (("m", f.first_start), ("v", f.second_start)) if value]
    if begun:
        texts = [f"{name} = {value:.2g}" for name, value in begun]
        lines.append(("start", f"{' and '.join(texts)} before the first step"))
    elif np.any(f.still):
        lines.append(("start", f"p goes down by lr times {listed(f.still)} though all gradients are 0"))
    return lines


def update(f: Facts, first: list[Equation], second: list[Equation]) -> list[Equation]:
    """Return the equation of the step, given those of the moments."""
    m = "g" if f.b1 == 0.0 else "m_hat" if any("m_hat" in text for _, text in first) else "m"
    v = next((text.split()[0] for _, text in reversed(second) if text.startswith(("v_hat", "v_max"))), "v")
    size = lr_text(f)
    if not f.ever_divides:
        until = f" in steps 1 to {f.kept}, the later ones could not be measured" if f.kept < T else ""
        return [("step", f"p = p - {size} {m}{scale_text(f)}{until}")]
    lines = [("step", f"p = p - {size} {m} / {denominator(f, v)}{scale_text(f)}")]
    if not f.always_divides:
        last = int(np.flatnonzero(~f.divides)[-1]) + 1
        moves = np.isfinite(f.exponents)[:, :last].any()
        otherwise = f"p = p - {size} {m}" if moves else "p stands still"
        lines.append(("", f"{otherwise} in {'step 1' if last == 1 else f'steps 1 to {last}'}"))
    return [*lines, *eps_in_steps(f)]


def lr_text(f: Facts) -> str:
    power = float(f.step["power of lr"])
    if np.isnan(power) or abs(power - 1.0) < NEAR:
        return "lr"
    return number(f.readings.hyper("lr")) if abs(power) < NEAR else f"lr^{number(power)}"


def denominator(f: Facts, v: str) -> str:
    """Return the root and epsilon as a text."""
    power = f.epsilon["power"]
    given = near(power, 1.0) or near(power, 0.5) or not f.divides[0]
    exact, begun = near(f.eps_factor, f.eps_factor[0]), f.second_start is not None
    text = "eps" if begun or (given and near(f.eps_factor, 1.0)) else "e"
    if exact and text == "e":
        text = number(f.eps_factor[0] * f.readings.hyper("eps"))
    if near(f.bend, BESIDE) or (begun and abs(f.bend - BESIDE) < ROUGH):
        return f"(sqrt({v}) + {text})"
    if near(f.bend, UNDER):
        return f"sqrt({v} + {under_root(f, text)})"
    if near(f.bend, LARGER):
        return f"max(sqrt({v}), {text})"
    between = "between " if BESIDE < f.bend < UNDER else ""
    return f"D, {between}sqrt({v}) + {text} and sqrt({v} + {text}^2)" if between else f"D(sqrt({v}), {text})"


def under_root(f: Facts, text: str) -> str:
    """Return what is added under the root: eps, or eps and a number, or a number."""
    power, r = f.epsilon["power"], f.readings
    if near(power, 0.5):
        return text
    if near(power, 1.0):
        return f"{text}^2"
    main, other = r.hyper("eps"), r.hyper("eps", "response")
    whole = float((f.eps_factor[0] * main) ** 2)
    rest = (f.epsilon["knee"] * other) ** 2 * float(f.newest_squares[0])
    if main != other and near((whole - rest) / (main - other), 1.0):
        return f"{number(whole - main)} + eps"
    return number(whole)


def eps_in_steps(f: Facts) -> list[Equation]:
    if near(f.eps_factor, f.eps_factor[0]) or f.second_start is not None:
        return []
    return [("epsilon", f"e = {listed(f.eps_factor * f.readings.hyper('eps'))} in steps 1, 2, ...")]


def scale_text(f: Facts) -> str:
    """Return by what the first step is multiplied if it depends on the parameter's size."""
    if near(f.by_size, 1.0) or not np.isfinite(f.by_size).all():
        return ""
    if f.by_norm:
        return " times the norm of p over that of the update"
    if near(f.by_size, np.array(SCALES)):
        return " times |p|"
    return f" times {listed(f.by_size)} for parameters of {listed(np.array(SCALES))}"


def signs(f: Facts) -> list[Equation]:
    """Return the equations where only the sign of an average counts.

    Its weights are told from the size at which an opposite second impulse turns the sign.  These sizes are
    1 % apart, so that a weight is told to two digits after the point.
    """
    size = number(abs(f.readings.normal.value[0, 0]))
    moved = f.readings.moves("signs").value
    newest, fading = turn(moved[1]), turn(moved[2])
    step = ("step", f"p = p - lr sign(c){'' if size == '1' else f' times {size}'}")
    if newest is None:
        return [("step", step[1].replace("(c)", "(g)"))]
    if fading is None or fading >= 1.0:
        return [step]
    if 0.0 < round(fading, 2) < 1.0:
        fading = round(fading, 2)
    share = newest / (1.0 - fading)
    return [
        ("first moment", f"m = {fading:.2g} m + {1.0 - fading:.2g} g, to within 0.01"),
        ("look-ahead", f"c = {share / (1.0 + share):.2g} m + {1.0 / (1.0 + share):.2g} g, with m of before"),
        step,
    ]


def turn(row: FloatArray) -> float | None:
    """Return the size of an opposite second impulse from which on the sign of the step changes."""
    change = np.flatnonzero(np.sign(row[:-1]) != np.sign(row[1:]))
    if len(change) == 0:
        return None
    k = int(change[0])
    return float(np.sqrt(SIGN_SIZES[k] * SIGN_SIZES[k + 1]))
