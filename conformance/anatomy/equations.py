"""The update rule as it was measured: equations with numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adamcore.conformance.anatomy.experiments import CONSTANT, DECAYED, NEIGHBOURS, PAIRS, SCALES, SIGN_SIZES, ZERO, T
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.parts import decay, epsilon, first_moment, second_moment, step
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.types import FloatArray

STEPS = np.arange(1, T + 1, dtype=np.float64)
NEAR = 1e-3  #: values this near to a form's count as that form


def number(x: float) -> str:
    """Return a number with the digits that a reader needs.

    >>> number(0.8000000001), number(1e-8)
    ('0.8', '1e-08')
    """
    return f"{float(x):.5g}"


def near(a: FloatArray | float, b: FloatArray | float) -> bool:
    """True if all values agree to within NEAR, relative to the larger."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return bool(np.all(np.abs(x - y) <= NEAR * np.maximum(np.abs(x), np.abs(y))))


def constant(values: FloatArray) -> float | None:
    """Return the value that all have, or None if they have none in common."""
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) and near(known, known[-1]) else None


def sure(measured: Measured) -> FloatArray:
    """Return the values whose error is small enough to tell a form by them; the others are NaN."""
    value = np.atleast_1d(measured.value)
    return np.where(np.atleast_1d(measured.error) < NEAR * np.abs(value) / 4 + 1e-9, value, np.nan)


def listed(values: FloatArray) -> str:
    """Return values of successive steps in a line; of many, the first ones and the last.

    >>> listed(np.array([1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]))
    '1, 0.5, 0.25, 0.125, ..., 0.015625'
    """
    texts = [number(x) for x in values]
    return ", ".join(texts if len(texts) < 7 else [*texts[:4], "...", texts[-1]])


@dataclass(frozen=True)
class UpdateRule:
    """What a candidate computes, read off its runs."""

    readings: Readings

    @cached_property
    def exponents(self) -> tuple[FloatArray, FloatArray]:
        far_below, far_above = self.readings.exponents
        return np.round(far_below.value, 3), np.round(far_above.value, 3)

    @property
    def sign(self) -> float:
        """-1 if a step goes up along the gradient, else 1."""
        r = self.readings
        return -1.0 if r.linear.value[0, 0] < 0 or r.normal.value[0, 0] < 0 else 1.0

    @property
    def is_sign(self) -> bool:
        """True if steps have one size whatever the gradients, and gradients of any size the same."""
        sizes = np.abs(self.readings.normal.value[:, 0])
        below, above = self.exponents
        return bool(abs(below[0]) < NEAR and abs(above[0]) < NEAR and sizes[0] and near(sizes, sizes[0]))

    @cached_property
    def divides(self) -> FloatArray:
        """Whether the step is divided by what grows with the gradients, in each step."""
        above = self.exponents[1]
        return np.abs(np.where(np.isnan(above), above[0], above) - 1.0) > 0.5

    @property
    def is_linear(self) -> bool:
        """True if the first step goes with the gradient, whatever its size."""
        below, above = self.exponents
        return bool(abs(below[0] - 1.0) < NEAR and abs(above[0] - 1.0) < NEAR and not self.divides[-1])

    @cached_property
    def weights(self) -> Measured:
        """The weights of gradients in each step: those far below eps, times eps if the step is divided."""
        r = self.readings
        weights = r.linear * self.sign
        return weights / r.hyper("eps") if self.is_linear else weights

    @cached_property
    def first_fading(self) -> float | None:
        fading = sure(first_moment(self.readings)["fading"])
        if self.weights.value[T - 1, 0] == 0 or np.isnan(fading).all():
            return 0.0
        return constant(fading)

    @cached_property
    def second_fading(self) -> float | None:
        """By what an older square counts less than the newest, in the second step."""
        found = second_moment(self.readings)
        return constant(sure(found["fading"] if self.divides[1] else found["kept"]))

    @cached_property
    def eps_factor(self) -> FloatArray:
        """By what eps counts more in each step than the eps that the readings were taken with."""
        if self.is_linear or not self.divides.all():
            return np.ones(T)
        sums, b2 = self.readings.second_sums.value, self.second_fading or 0.0
        forms = [np.ones(T), STEPS, *([1.0 - b2**STEPS] if 0.0 < b2 < 1.0 else [])]
        scales = [constant(sums / form) for form in forms]
        for scale in scales:
            if scale is not None and scale > 0:
                return np.full(T, 1.0 / np.sqrt(scale))
        whole = near(self.readings.normal.value[:, CONSTANT], self.sign)
        return 1.0 / self.first_sums if whole or np.all(np.abs(self.first_sums - 1.0) < 0.01) else np.ones(T)

    @cached_property
    def first_sums(self) -> FloatArray:
        r = self.readings
        return self.sign * r.first_sums.value / (r.hyper("eps") if self.is_linear else 1.0)

    def lines(self) -> list[tuple[str, str]]:
        """Return the rule: each part with its equation."""
        why = self.readings.why_not("main")
        if why:
            return [("not measured", why)]
        if self.is_sign:
            return [*self.gradient_lines(), *self.sign_lines(), *self.decay_lines()]
        return [
            *self.gradient_lines(),
            *self.first_lines(),
            *self.second_lines(),
            *self.step_lines(),
            *self.decay_lines(),
        ]

    def gradient_lines(self) -> list[tuple[str, str]]:
        lines = [("gradient", "g = -g")] if self.sign < 0 else []
        still = self.readings.moves("linear").value[:, ZERO] / self.readings.hyper("lr")
        if np.any(still):
            lines.append(("start", f"without a gradient p goes down by lr times {listed(still)} in steps 1, 2, ..."))
        return lines

    # The moments

    @property
    def look_ahead(self) -> bool:
        """True if the newest gradient has another weight than its place in the average gives it."""
        b1 = self.first_fading
        return bool(b1) and not near(first_moment(self.readings)["look-ahead"].value, b1 or 0.0)

    def first_lines(self) -> list[tuple[str, str]]:
        b1 = self.first_fading
        if b1 is None:
            weights = self.weights.value[T - 1, T - 1 :: -1]
            return [("first moment", f"m = sum of gradients, the newest first, times {listed(weights[:T])}")]
        if b1 == 0.0:
            return []
        text = f"m = {number(b1)} m + {number(self.first_weight)} g".replace(" 1 g", " g")
        return [("first moment", text), *self.first_correction(b1)]

    @cached_property
    def first_weight(self) -> float:
        """The weight of g in m: 1 where nothing else fits an uncorrected sum, else 1 - b1."""
        b1 = self.first_fading or 0.0
        plain = near(self.first_sums * (1.0 - b1), 1.0 - b1**STEPS)
        return 1.0 if plain else 1.0 - b1

    def first_correction(self, b1: float) -> list[tuple[str, str]]:
        if self.look_ahead:
            return self.look_ahead_lines(b1)
        factor = self.first_sums * self.eps_factor / (1.0 - b1**STEPS) * (1.0 - b1) / self.first_weight
        if self.by_norm:
            shown = near(factor[0] * (1.0 - b1), 1.0)
            text = f"m_hat = m / (1 - {number(b1)}^t), told from the first step alone"
            return [("correction", text)] if shown else []
        form = self.correction_form(factor, b1)
        return [("correction", f"m_hat = {form.replace('x', 'm')}")] if form != "x" else []

    def correction_form(self, factor: FloatArray, b1: float) -> str:
        """Return the correction of m as a text with ``x`` for m."""
        b2 = self.second_fading
        ones, first = np.ones(T), 1.0 - b1**STEPS
        root = np.sqrt(1.0 - b2**STEPS) if b2 is not None and 0.0 < b2 < 1.0 else None
        forms = [("x", ones), (f"x / (1 - {number(b1)}^t)", 1.0 / first)]
        if root is not None and b2 is not None:
            text = f"sqrt(1 - {number(b2)}^t)"
            forms += [(f"x {text}", root), (f"x {text} / (1 - {number(b1)}^t)", root / first)]
        for text, values in forms:
            scale = constant(factor / values)
            if scale is not None:
                return text if near(scale, 1.0) else f"{number(scale)} {text}"
        if near(factor[0] * first[0], 1.0):
            return f"x / (1 - {number(b1)}^t), times {listed(factor * first)} in steps 1, 2, ..."
        return f"x times {listed(factor)} in steps 1, 2, ..."

    def look_ahead_lines(self, b1: float) -> list[tuple[str, str]]:
        k = self.weights.value * self.eps_factor[:, None]
        of_m = np.array([k[t, t - 1] / ((1.0 - b1) * b1) for t in range(1, T)])
        of_g = np.array([k[t, t] for t in range(1, T)]) - of_m * (1.0 - b1)
        t, b = STEPS[1:], number(b1)
        now, then = 1.0 - b1**t, 1.0 - b1 ** (t + 1)
        if near(of_m * then, b1) and near(of_g * now, 1.0 - b1):
            text = f"m_hat = {b} m / (1 - {b}^(t+1)) + {number(1.0 - b1)} g / (1 - {b}^t)"
        elif near(of_m * now, b1) and near(of_g * now, 1.0 - b1):
            text = f"m_hat = ({b} m + {number(1.0 - b1)} g) / (1 - {b}^t)"
        else:
            text = f"m_hat = x m + y g with x = {listed(of_m)} and y = {listed(of_g)} in steps 2, 3, ..."
        return [("look-ahead", text)]

    def second_lines(self) -> list[tuple[str, str]]:
        if not self.divides[-1]:
            return []
        r = self.readings
        found = {name: value.value for name, value in second_moment(r).items()}
        b2, kept = self.second_fading, constant(found["kept"])
        s2 = r.second_sums.value * self.eps_factor**2
        if b2 is None:
            return [("second moment", "v could not be measured")]
        same, _, small, _ = found["two squares"]
        if abs(b2) < NEAR and abs(same) < NEAR:
            if kept is None or kept <= 0:
                return [("second moment", "v = g^2")]
            return [("second moment", f"v = max({number(np.sqrt(kept))} sqrt(v), |g|)^2")]
        if near(b2, 1.0) and near(same, 1.0):
            return self.sum_lines(float(small))
        cross = float(found["cross term"])
        if abs(cross) > NEAR:
            return self.difference_lines(cross, b2 - cross * cross)
        text = f"v = {number(b2)} v + {number(1.0 - b2)} g^2"
        return [("second moment", text), *self.maximum_lines(b2), *self.second_correction(b2, s2)]

    def difference_lines(self, cross: float, b2: float) -> list[tuple[str, str]]:
        """What is squared holds earlier gradients too; ``cross`` is the weight of the last one in it."""
        newest = np.diag(self.readings.roots.value[:, :T]) * self.eps_factor**2
        corrected = constant(newest * (1.0 - b2**STEPS))
        size = np.sqrt((newest[-1] if corrected is None else corrected) / (1.0 - b2))
        b1, w = self.first_fading or 0.0, self.first_weight
        what = f"({number(size)} g {'-' if cross < 0 else '+'} {number(abs(size * cross))} g_before ...)"
        if near(size, 1.0 - w) and near(size * cross, -w * b1):
            what = "(g - m)"
        elif near(size, 1.0) and near(cross, -w):
            what = "(g - m_before)"
        lines = [("second moment", f"v = {number(b2)} v + {number(1.0 - b2)} {what}^2")]
        return [*lines, ("correction", f"v_hat = v / (1 - {number(b2)}^t)")] if corrected else lines

    def sum_lines(self, small: float) -> list[tuple[str, str]]:
        """The second moment where no square fades; ``small`` is what a smaller one after a larger one adds."""
        newest = np.diag(self.readings.roots.value[:, :T]) * self.eps_factor**2
        weight, b2 = constant(newest), newest[0] / newest[1] - 1.0
        lines = []
        if weight is None and (weight := constant(newest * (1.0 - b2**STEPS))) is not None:
            lines.append(("correction", f"v_hat = v / (1 - {number(b2)}^t)"))
        size = "" if weight is None or near(weight, 1.0) else f"{number(weight)} "
        if near(small, 1.0):
            return [("second moment", f"v = v + {size}g^2"), *lines]
        share = (small - 1.0) / PAIRS[2][1] ** 2 + 1.0
        if near(share, -1.0):
            return [("second moment", f"v = v - {size}sign(v - g^2) g^2"), *lines]
        text = f"v = v + {size}g^2, and {number(share)} times that where g^2 is less than v"
        return [("second moment", text), *lines]

    def maximum_lines(self, b2: float) -> list[tuple[str, str]]:
        kept = sure(second_moment(self.readings)["kept"])
        known = kept[np.isfinite(kept)]
        if not len(known) or near(known, b2):
            return []
        if near(known, 1.0):
            return [("maximum", "v_max = max(v_max, v), in place of v")]
        ages = STEPS[1 : len(kept) + 1][::-1]
        expected = (1.0 - b2**ages) / (1.0 - b2 ** (ages - 1))
        if near(known, expected[np.isfinite(kept)]):
            return [("maximum", "v_max = max(v_max, v_hat), in place of v_hat")]
        return [("maximum", f"an older square keeps {listed(kept)} of its weight, the newest first")]

    def second_correction(self, b2: float, s2: FloatArray) -> list[tuple[str, str]]:
        plain = 1.0 - b2**STEPS
        if self.by_norm:
            text = f"v_hat = v / (1 - {number(b2)}^t), told from the first step alone"
            return [("correction", text)] if near(s2[0], 1.0) else []
        if constant(s2) is not None and b2 > NEAR:
            return [("correction", f"v_hat = v / (1 - {number(b2)}^t)")]
        if constant(s2 / plain) is not None:
            return []
        if not self.divides.all():
            return []
        return [("correction", f"v_hat = v times {listed(s2 / plain)} in steps 1, 2, ...")]

    # The step

    def denominator(self, v: str) -> str:
        found = {name: float(np.ravel(value.value)[0]) for name, value in epsilon(self.readings).items()}
        factor, hyper = self.eps_factor, self.readings.hyper("eps")
        given = near(found["power"], 1.0) or near(found["power"], 0.5) or not self.divides[0]
        text = "eps" if given and near(factor, 1.0) else number(factor[-1] * hyper)
        if not near(factor, factor[0]):
            text = f"x with x = {listed(factor * hyper)} in steps 1, 2, ..."
        if abs(found["slope"]) < NEAR:
            return f"sqrt({v})"
        bend = found["bend"]
        forms = {0.5: "beside", float(np.sqrt(0.5)): "under", 1.0: "largest"}
        if not self.divides[0]:
            bend = self.late_bend()
        form = next((name for value, name in forms.items() if abs(bend - value) < 5e-3), None)
        if form == "beside":
            return f"(sqrt({v}) + {text})"
        if form == "under":
            return f"sqrt({v} + {self.under_root(text, found)})"
        if form == "largest":
            return f"max(sqrt({v}), {text})"
        return f"(sqrt({v}) and {text}, at the bend {number(bend)} of the full step)"

    def under_root(self, text: str, found: dict[str, float]) -> str:
        """Return what is added under the root: eps, or eps and a number, or a number."""
        if near(found["power"], 0.5):
            return text
        if near(found["power"], 1.0):
            return f"{text}^2"
        r = self.readings
        main, other = r.hyper("eps"), r.hyper("eps", "response")
        whole = (self.eps_factor[0] * main) ** 2
        newest = r.roots.value[0, 0] * (self.eps_factor[0]) ** 2
        rest = (found["knee"] * other) ** 2 * newest
        if main != other and near((whole - rest) / (main - other), 1.0):
            return f"{number(whole - main)} + eps"
        return number(whole)

    def late_bend(self) -> float:
        """Return the bend, told from the last step, where the root and eps are of one size."""
        r = self.readings
        moved = r.moves("neighbours", len(NEIGHBOURS)).value[T - 1, 0]
        share = moved * r.hyper("eps") / (r.hyper("lr") * r.first_sums.value[T - 1])
        x = float(np.sqrt(r.second_sums.value[T - 1])) / r.hyper("eps")
        forms = {0.5: 1 / (1 + x), float(np.sqrt(0.5)): 1 / np.hypot(1, x), 1.0: min(1.0, 1 / x)}
        return min(forms, key=lambda bend: abs(float(share) - forms[bend]))

    def step_lines(self) -> list[tuple[str, str]]:
        lines = self.line_names()
        update = lines[0]
        if self.divides[-1]:
            update += f" / {self.denominator(lines[1])}"
        found = {name: value.value for name, value in step(self.readings).items()}
        power = float(found["power of lr"])
        lr = "lr" if np.isnan(power) or abs(power - 1.0) < NEAR else f"lr^{number(power)}"
        if abs(power) < NEAR:
            lr = number(self.readings.hyper("lr"))
        made = [("step", f"p = p - {lr} {update}{self.norm_text(found['parameters'])}")]
        if self.divides[-1] and not self.divides.all():
            last = int(np.flatnonzero(~self.divides)[-1]) + 1
            made.append(("", f"in steps 1 to {last} without the division: p = p - {lr} {lines[0]}"))
        return made

    def line_names(self) -> tuple[str, str]:
        first = [name for name, text in self.first_lines() if "m_hat" in text]
        m = "g" if self.first_fading == 0.0 else "m_hat" if first else "m"
        second = self.second_lines()
        v = "v"
        for name, text in second:
            v = "v_max" if name == "maximum" else v
            v = "v_hat" if name == "correction" and text.startswith("v_hat") and v == "v" else v
        return m, v

    @cached_property
    def by_norm(self) -> bool:
        """True if the length of an array's step goes with the norm of the array."""
        return "norm" in self.norm_text(step(self.readings)["parameters"].value)

    def norm_text(self, moved: FloatArray) -> str:
        own = [moved[4 * i] / moved[4] for i in range(len(SCALES))]
        if near(np.array(own), 1.0):
            return ""
        if near(np.array(own), np.array(SCALES)):
            elements = moved[4 * len(SCALES) :]
            each = near(elements[0] / elements[1], SCALES[0] / SCALES[1])
            return " times |p|" if each else " times the norm of p over that of the update"
        return f" times {listed(np.array(own))} for parameters of {listed(np.array(SCALES))}"

    # Decay

    def decay_lines(self) -> list[tuple[str, str]]:
        if self.readings.why_not("decay"):
            return [("decay", f"not measured: {self.readings.why_not('decay')}")]
        found = {name: value.value for name, value in decay(self.readings).items()}
        rate, sizes = found["rate"], found["sizes"]
        rate = rate - self.readings.moves("normal").value[: len(rate), ZERO]
        lr = self.readings.hyper("lr", "decay")
        wd = self.readings.probes["decay"].hyper.get("weight_decay", 0.0)
        if np.all(np.abs(rate) < 1e-9):
            return []
        if self.by_norm:
            return [("decay", f"p = (1 - {number(rate[0])}) p in a step with zero gradients")]
        share = self.coupled_share()
        if share is not None and not (constant(rate) is not None and near(sizes, sizes[0])):
            return [("decay", f"g = g + {'wd' if near(share, wd) else number(share)} p, before all else")]
        powers = [float(found[name]) for name in ("power of lr", "power of decay")]
        if constant(rate) is None:
            return [("decay", f"p = (1 - x) p with x = {listed(rate)} in steps 1, 2, ...")]
        powers = [0.0 if np.isnan(power) else power for power in powers]
        factor = rate[0] / (lr ** powers[0] * (wd ** powers[1] if wd else 1.0))
        names = [
            name if abs(power - 1.0) < NEAR else f"{name}^{number(power)}"
            for name, power in zip(("lr", "wd"), powers, strict=True)
            if abs(power) > NEAR
        ]
        text = " ".join([*([] if near(factor, 1.0) and names else [number(factor)]), *names])
        when = "after" if abs(float(found["order"]) - 1.0) < 0.5 else "before"
        return [("decay", f"p = p - {text} p, {when} the step")]

    def coupled_share(self) -> float | None:
        """Return the part of p that is added to the gradient, or None if p does not decay in this way."""
        r = self.readings
        p = r.positions("decay")[:, 0]
        lr = r.hyper("lr", "decay")
        k = self.weights.value if self.is_linear else self.weights.value / r.hyper("eps")
        share = float((p[0] - p[1]) / (lr * k[0, 0] * p[0]))
        for t in range(1, len(p)):
            if not near(p[t - 1] - p[t], lr * share * float(k[t - 1, :t] @ p[:t])):
                return None
        return share

    # Steps of one size

    def sign_lines(self) -> list[tuple[str, str]]:
        """The weights where only the sign of an average counts: where an opposite impulse turns it."""
        size = number(abs(self.readings.normal.value[0, 0]))
        moved = self.readings.moves("signs").value
        turns = [self.turn(row) for row in moved[1:4]]
        step_text = f"p = p - lr sign(c){'' if size == '1' else f' times {size}'}"
        if turns[0] is None or turns[1] is None:
            return [("step", step_text)]
        fading, newest = min(turns[1], 1.0), turns[0]
        share = newest / (1.0 - fading) if fading < 1.0 else np.inf
        alpha = share / (1.0 + share)
        return [
            ("first moment", f"m = {fading:.2g} m + {1.0 - fading:.2g} g, to within 1 %"),
            ("look-ahead", f"c = {alpha:.2g} m + {1.0 - alpha:.2g} g, of the m before"),
            ("step", step_text),
        ]

    def turn(self, row: FloatArray) -> float | None:
        """Return the size of an opposite second impulse from which on the sign of the step changes."""
        change = np.flatnonzero(np.sign(row[:-1]) != np.sign(row[1:]))
        if len(change) == 0:
            return None
        k = int(change[0])
        return float(np.sqrt(SIGN_SIZES[k] * SIGN_SIZES[k + 1]))
