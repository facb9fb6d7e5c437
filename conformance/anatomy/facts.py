"""What the equations are chosen by: facts on a candidate that its readings tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from adamcore.conformance.anatomy.experiments import CONSTANT, NEIGHBOURS, SCALES, ZERO, T
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.parts import Values, epsilon, first_moment, second_moment, step
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.types import FloatArray

STEPS = np.arange(1, T + 1, dtype=np.float64)
NEAR = 1e-3  #: values this near to those of a form count as that form
ROUGH = 1e-2  #: the same for sums that a start of v above 0 disturbs


def near(a: FloatArray | float, b: FloatArray | float) -> bool:
    """True if all values agree to within NEAR, relative to the larger."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return bool(np.all(np.abs(x - y) <= NEAR * np.maximum(np.abs(x), np.abs(y))))


def constant(values: FloatArray) -> float | None:
    """Return the value that all have, or None if they have none in common; NaN counts as no value.

    >>> constant(np.array([0.5, np.nan, 0.5])), constant(np.array([0.5, 0.6]))
    (0.5, None)
    """
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) and near(known, known[-1]) else None


def sure(measured: Measured) -> FloatArray:
    """Return the values whose error is small enough to tell a form by them; the others are NaN."""
    value = np.atleast_1d(measured.value)
    return np.where(np.atleast_1d(measured.error) < NEAR * np.abs(value) / 4 + 1e-9, value, np.nan)


@dataclass(frozen=True)
class Facts:
    """Facts on what a candidate computes.  The steps of the impulses count from 1 to T."""

    readings: Readings

    @cached_property
    def exponents(self) -> tuple[FloatArray, FloatArray]:
        """By which power of a first gradient the steps go up, far below eps and far above it."""
        below, above = self.readings.exponents
        return np.round(below.value, 3), np.round(above.value, 3)

    @property
    def sign(self) -> float:
        """-1 if a step goes up along the gradient, else 1."""
        r = self.readings
        return -1.0 if r.linear.value[0, 0] < 0 or r.normal.value[0, 0] < 0 else 1.0

    @cached_property
    def is_sign(self) -> bool:
        """True if all steps have one size, whatever the gradients."""
        steps = np.abs(self.readings.normal.value)
        one, each = steps[0, 0], steps[:, 0]
        same = bool(one) and near(each[each != 0], one) and near(steps[:, CONSTANT], one)
        below, above = self.exponents
        return same and bool(abs(below[0]) < NEAR and abs(above[0]) < NEAR)

    @cached_property
    def divides(self) -> FloatArray:
        """Whether the step is divided by what grows with the gradients, in each step."""
        above = self.exponents[1]
        return np.abs(np.where(np.isnan(above), above[0], above) - 1.0) > 0.5

    @cached_property
    def kept(self) -> int:
        """How many steps far above eps show: later ones may be lost in p beside some that nothing divides."""
        below, above = self.exponents
        lost = np.flatnonzero(np.isfinite(below) & np.isnan(above))
        return int(lost[0]) if len(lost) else T

    @property
    def always_divides(self) -> bool:
        return bool(self.divides.all())

    @property
    def ever_divides(self) -> bool:
        return bool(self.divides[-1])

    @property
    def is_linear(self) -> bool:
        """True if the step goes with the gradient, whatever its size."""
        below, above = self.exponents
        return bool(abs(below[0] - 1.0) < NEAR and abs(above[0] - 1.0) < NEAR and not self.ever_divides)

    @property
    def shows_no_eps(self) -> bool:
        """True if a first step is as long with any gradient: nothing is linear far below eps."""
        below, above = self.exponents
        return not self.is_sign and bool(abs(below[0]) < NEAR and abs(above[0]) < NEAR)

    @cached_property
    def weights(self) -> FloatArray:
        """The weights of gradients in each step: those far below eps, times eps if the step is divided."""
        r = self.readings
        return self.sign * r.linear.value / (r.hyper("eps") if self.is_linear else 1.0)

    @cached_property
    def first_sums(self) -> FloatArray:
        return self.weights[:, CONSTANT]

    @cached_property
    def first(self) -> Values:
        return first_moment(self.readings)

    @cached_property
    def second(self) -> Values:
        return second_moment(self.readings)

    @cached_property
    def epsilon(self) -> dict[str, float]:
        return {name: float(np.ravel(value.value)[0]) for name, value in epsilon(self.readings).items()}

    @cached_property
    def step(self) -> dict[str, FloatArray]:
        return {name: value.value for name, value in step(self.readings).items()}

    @cached_property
    def b1(self) -> float | None:
        """By what an older gradient counts less than a newer one: 0 if not at all, None if it varies."""
        fading = sure(self.first["fading"])
        if self.weights[T - 1, 0] == 0 or np.isnan(fading).all():
            return 0.0
        return constant(fading)

    @cached_property
    def first_weight(self) -> float:
        """The weight of g in m: 1 where an uncorrected sum shows that, else 1 - b1."""
        b1 = self.b1 or 0.0
        return 1.0 if near(self.first_sums * (1.0 - b1), 1.0 - b1**STEPS) else 1.0 - b1

    @property
    def sums_as_usual(self) -> bool:
        """True if far below eps the weights of gradients have the sum that m has, corrected or not."""
        sums = self.first_sums / self.first_weight * (1.0 - (self.b1 or 0.0))
        return near(sums, 1.0) or near(sums, 1.0 - (self.b1 or 0.0) ** STEPS)

    @property
    def looks_ahead(self) -> bool:
        """True if the newest gradient has another weight than its place in the average gives it."""
        return bool(self.b1) and not near(self.first["look-ahead"].value, self.b1 or 0.0)

    @cached_property
    def b2(self) -> float | None:
        """By what an older square counts less than a newer one, or None if it could not be told."""
        return constant(sure(self.second["fading" if self.divides[1] else "kept"]))

    @cached_property
    def eps_factor(self) -> FloatArray:
        """By what eps counts more in each step than the eps that the readings were taken with."""
        if self.is_linear or not self.always_divides:
            return np.ones(T)
        sums, b2 = self.readings.second_sums.value, self.b2 or 0.0
        forms = [np.ones(T), STEPS, *([1.0 - b2**STEPS] if 0.0 < b2 < 1.0 else [])]
        for form in forms:
            scale = constant(sums / form)
            if scale is not None and scale > 0:
                by_v = self.sums_as_usual and form is not STEPS  # v is scaled, and neither m nor eps is
                return np.ones(T) if by_v else np.full(T, 1.0 / np.sqrt(scale))
        whole = near(self.readings.normal.value[:, CONSTANT], self.sign)
        if whole or np.all(np.abs(self.first_sums - 1.0) < ROUGH):
            return 1.0 / self.first_sums
        return np.ones(T)

    @cached_property
    def second_sums(self) -> FloatArray:
        sums: FloatArray = self.readings.second_sums.value * self.eps_factor**2
        return sums

    @cached_property
    def newest_squares(self) -> FloatArray:
        """The weight of the newest square in each step."""
        newest: FloatArray = np.diag(self.readings.roots.value[:, :T]) * self.eps_factor**2
        return newest

    @cached_property
    def still(self) -> FloatArray:
        """By how many lr an element goes down in each step though all its gradients are 0."""
        r = self.readings
        moved: FloatArray = r.moves("linear").value[:, ZERO] / r.hyper("lr")
        return moved

    @cached_property
    def first_start(self) -> float | None:
        """What m is before the first step, if that fades as m does; None if it is 0 or does not."""
        b1 = self.b1 or 0.0
        if not np.any(self.still) or not 0.0 < b1 < 1.0:
            return None
        left = self.still * self.eps_factor * self.readings.hyper("eps") / b1**STEPS
        forms = (left, left * (1.0 - b1**STEPS))
        return next((value for each in forms if (value := constant(each)) is not None), None)

    @cached_property
    def second_start(self) -> float | None:
        """What v is before the first step, if that is why eps counts more; None if it is 0 or is not."""
        hyper = self.readings.probes["main"].hyper
        b2, root = hyper.get("b2", 0.0), (self.eps_factor - 1.0) * hyper.get("eps", 0.0)
        if self.first_start is None or not 0.0 < b2 < 1.0 or np.any(root <= 0.0):
            return None
        squares = root**2
        forms = [squares * fading for fading in (1.0, b2**-STEPS)]
        forms += [form * (1.0 - b2**STEPS) for form in forms]
        found = (form[-1] for form in forms if np.ptp(form) < ROUGH * np.max(form))
        return next((float(value) for value in found), None)

    @cached_property
    def by_size(self) -> FloatArray:
        """The steps of parameters of the sizes SCALES, relative to that of size 1."""
        moved = self.step["parameters"]
        return np.array([moved[4 * i] / moved[4] for i in range(len(SCALES))])

    @cached_property
    def by_norm(self) -> bool:
        """True if the length of an array's step goes with the norm of the array."""
        elements = self.step["parameters"][4 * len(SCALES) :]
        return near(self.by_size, np.array(SCALES)) and near(elements, elements[0])

    @cached_property
    def bend(self) -> float:
        """The share of the full step where the root and eps are of one size.

        Without a division in the first step, or with a v that does not start at 0, it is told from the last
        one, in which they are of one size.
        """
        if self.divides[0] and self.second_start is None:
            return self.epsilon["bend"]
        r = self.readings
        moved = r.moves("neighbours", len(NEIGHBOURS)).value[T - 1, 0]
        share = float(moved * r.hyper("eps") / (r.hyper("lr") * r.first_sums.value[T - 1]))
        x = float(np.sqrt(r.second_sums.value[T - 1])) / r.hyper("eps")
        forms = {BESIDE: 1 / (1 + x), UNDER: 1 / float(np.hypot(1, x)), LARGER: min(1.0, 1 / x)}
        nearest: float = min(forms, key=lambda bend: float(abs(share - forms[bend])))
        return nearest


BESIDE, UNDER, LARGER = 0.5, 0.5**0.5, 1.0  #: the bends of sqrt(v) + eps, sqrt(v + eps**2), max(sqrt(v), eps)
