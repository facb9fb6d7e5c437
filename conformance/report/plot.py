"""The plot of a probe: error and bound over the steps, as coordinates for the template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from adamcore.conformance.report.text import format_ratio
from adamcore.conformance.types import Point

WIDTH, HEIGHT = 300, 110
LEFT, RIGHT, TOP, BOTTOM = 36, 294, 8, 92  #: positions of the axes
POINTS = 60  #: points of a curve at most; of more steps, each group is drawn as its worst step
DECADES = (
    8  #: height of the plot in powers of ten, unless a bound lies lower; smaller errors lie on the floor
)


@dataclass
class Plot:
    """The elements of one plot; every coordinate is a whole number."""

    label: str  #: the plot in words, for readers who cannot see it
    bound: str = ""  #: path of the bound
    within: str = ""  #: path of the closed area below the bound
    error: str = ""  #: path of the error
    dots: list[tuple[int, int]] = field(default_factory=list)  #: the errors as points, if they are few
    beyond: list[tuple[int, int]] = field(default_factory=list)  #: the errors above their bound
    y_ticks: list[tuple[int, str]] = field(default_factory=list)
    x_ticks: list[tuple[int, str]] = field(default_factory=list)


def plot(series: Sequence[Point]) -> Plot | None:
    """Return the plot of a series, or None if no error and no bound is a positive finite number."""
    steps = thin(series)
    bounds = [p.bound_ulp for _, p in steps if 0 < p.bound_ulp < math.inf]
    errors = [p.ulp for _, p in steps if 0 < p.ulp < math.inf]
    if not bounds and not errors:
        return None
    top = math.ceil(math.log10(max(bounds + errors)) + 1e-9)
    lowest = max(min(errors, default=math.inf), 10.0 ** (top - DECADES))
    floor = min(math.floor(math.log10(min([lowest, *bounds]))), top - 1)

    def x(step: int) -> int:
        return round(LEFT + (RIGHT - LEFT) * (step - 0.5) / len(series))

    def y(size: float) -> int:
        level = floor if size <= 0 or math.isnan(size) else min(math.log10(size), top)
        return round(BOTTOM - (BOTTOM - TOP) * (max(level, floor) - floor) / (top - floor))

    drawn = Plot(describe(series))
    bounded = [(x(s), y(p.bound_ulp)) for s, p in steps if 0 < p.bound_ulp < math.inf]
    drawn.bound = path(bounded)
    if len(bounded) > 1:
        drawn.within = f"{drawn.bound}V{BOTTOM}H{bounded[0][0]}z"
    curve = [(x(s), y(p.ulp)) for s, p in steps if not math.isnan(p.ulp)]
    drawn.error = path(curve)
    drawn.dots = curve if len(curve) <= POINTS // 2 else []
    drawn.beyond = [(x(s), y(math.inf if math.isnan(p.ulp) else p.ulp)) for s, p in steps if p.ratio > 1]
    every = math.ceil((top - floor) / 4)
    drawn.y_ticks = [(y(10.0**k), power_label(k)) for k in range(floor, top + 1) if (top - k) % every == 0]
    drawn.x_ticks = [(x(s), f"step {s}" if s == 1 else str(s)) for s in dict.fromkeys((1, len(series)))]
    return drawn


def thin(series: Sequence[Point]) -> list[tuple[int, Point]]:
    """Return at most POINTS pairs of a step and its point: the worst step of each group."""
    steps = list(enumerate(series, 1))
    size = math.ceil(len(steps) / POINTS)
    if size <= 1:
        return steps
    return [max(steps[k : k + size], key=lambda each: each[1].ratio) for k in range(0, len(steps), size)]


def path(points: Sequence[tuple[float, float]]) -> str:
    """Return straight lines through points as the path of an SVG.

    >>> path([(36, 50), (165, 40)])
    'M36 50L165 40'
    """
    return "L".join(f"{x} {y}" for x, y in points).join(("M", "")) if points else ""


def power_label(k: int) -> str:
    """Return 10**k in few characters.

    >>> [power_label(k) for k in (-3, -1, 0, 2, 6)]
    ['1e-3', '.1', '1', '100', '1e6']
    """
    return f"{10**k}" if 0 <= k <= 3 else ".1" if k == -1 else f"1e{k}"


def describe(series: Sequence[Point]) -> str:
    """Return the content of the plot in words.

    >>> describe([Point(0.25, 1.0, 4.0), Point(3.0, 6.0, 2.0)])
    '2 steps; worst in step 2: error 6 ULP, bound 2 ULP (3.0 of it); first beyond in step 2'
    """
    worst, point = max(enumerate(series, 1), key=lambda each: each[1].ratio)
    said = f"{len(series)} steps; worst in step {worst}: error {point.ulp:.3g} ULP, "
    said += f"bound {point.bound_ulp:.3g} ULP ({format_ratio(point.ratio)} of it)"
    first = next((step for step, p in enumerate(series, 1) if p.ratio > 1), None)
    return said + (f"; first beyond in step {first}" if first else "")
