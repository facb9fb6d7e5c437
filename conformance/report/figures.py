"""What was measured as curves over the steps or over the gradient, those of the claim beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from adamcore.conformance.anatomy.anatomy import Anatomy
from adamcore.conformance.anatomy.experiments import POWERS, T
from adamcore.conformance.anatomy.facts import Facts
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.types import FloatArray

SHOWN = (1, 3, 6, T)  #: the steps whose weights are drawn


@dataclass(frozen=True)
class Curve:
    """One curve: its values at each place, as measured and as claimed."""

    name: str  #: "step 12"
    x: FloatArray
    measured: FloatArray  #: NaN where it could not be measured
    claimed: FloatArray | None  #: None without a claim
    off: FloatArray  #: True where the two are not the same


@dataclass(frozen=True)
class Figure:
    """Curves that share their axes."""

    title: str
    about: str  #: what stands on the two axes
    curves: list[Curve]
    logarithmic: bool = False  #: True if both axes count powers of two

    @property
    def as_claimed(self) -> bool:
        """True if no measured value differs from the claimed one."""
        return not any(curve.off.any() for curve in self.curves)


def figures_of(anatomy: Anatomy) -> list[Figure]:
    """Return the figures of a candidate, beside those of its claim if it has one."""
    return figures(anatomy.readings, anatomy.claimed)


def figures(readings: Readings, claimed: Readings | None = None) -> list[Figure]:
    """Return a figure for each moment, for the corrections and for epsilon.

    Those without a value are left out.
    """
    with np.errstate(all="ignore"):
        drawn = every_figure(readings, claimed)
    return [figure for figure in drawn if any(np.isfinite(c.measured).any() for c in figure.curves)]


def every_figure(readings: Readings, claimed: Readings | None) -> list[Figure]:
    steps = np.arange(1.0, T + 1)

    def curve(name: str, x: FloatArray, read: Callable[[Readings], Measured]) -> Curve:
        measured = read(readings)
        if claimed is None:
            return Curve(name, x, measured.value, None, np.zeros(len(x), bool))
        theirs = read(claimed)
        return Curve(name, x, measured.value, theirs.value, ~measured.equals(theirs))

    first = [curve(f"t={t}", steps[:t], partial(first_weights, t)) for t in SHOWN]
    second = [curve(f"t={t}", steps[:t], partial(second_weights, t)) for t in SHOWN]
    sums = [curve("m", steps, first_sums), curve("v", steps, lambda r: r.second_sums)]
    if not Facts(readings).ever_divides:
        second, sums = [], sums[:1]
    response = curve("", 2.0 ** np.array(POWERS, dtype=np.float64), first_steps)
    return [
        Figure("First moment", "the weight of each step's gradient, in steps 1, 3, 6 and 12", first),
        Figure("Second moment", "the weight of each step's square, in steps 1, 3, 6 and 12", second),
        Figure("Correction", "the sum of the weights in each step: 1 if it is corrected", sums),
        Figure(
            "Epsilon", "the first step over lr, by the size of the gradient", [response], logarithmic=True
        ),
    ]


def first_weights(t: int, readings: Readings) -> Measured:
    """Return the weights of the gradients in step ``t``."""
    return readings.linear[t - 1, :t] * unit(readings)


def second_weights(t: int, readings: Readings) -> Measured:
    """Return the weights of the squares in step ``t``."""
    return readings.roots[t - 1, :t]


def first_sums(readings: Readings) -> Measured:
    """Return the sum of the gradients' weights in each step."""
    return readings.first_sums * unit(readings)


def unit(readings: Readings) -> float:
    """Return what readings far below eps are multiplied by, if the step is not divided by eps."""
    return 1.0 / readings.hyper("eps") if Facts(readings).is_linear else 1.0


def first_steps(readings: Readings) -> Measured:
    """Return the first step over lr for a gradient of each size."""
    return readings.curve("response") / readings.hyper("lr", "response")
