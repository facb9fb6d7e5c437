"""The plot of a measured part, as coordinates for the template: lines as claimed, dots as measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from adamcore.conformance.report.figures import Figure
from adamcore.conformance.report.plot import BOTTOM, LEFT, RIGHT, TOP, path

BEYOND = 12.0  #: times the claim's largest value; what was measured beyond that is drawn at the edge
LOWEST = -60  #: the lowest power of two on a logarithmic axis
INSIDE = 8  #: pixels between the axes and the curves, for the names of these
APART = 5.0  #: the least distance of two dots of a curve
Place = tuple[float, float]


@dataclass
class Drawing:
    """The elements of a plot; coordinates have one decimal."""

    title: str
    about: str
    label: str  #: the plot in words, for readers who cannot see it
    lines: list[str] = field(default_factory=list)  #: paths of what is claimed
    dots: list[Place] = field(default_factory=list)  #: measured, as claimed
    off: list[Place] = field(default_factory=list)  #: measured, not as claimed
    names: dict[Place, str] = field(default_factory=dict)  #: of the curves, where each ends
    x_ticks: list[tuple[float, str]] = field(default_factory=list)
    y_ticks: list[tuple[float, str]] = field(default_factory=list)


def draw(figure: Figure) -> Drawing:
    """Return the plot of a figure."""
    drawing = Drawing(figure.title, figure.about, describe(figure))
    places = [level(figure, float(x)) for curve in figure.curves for x in curve.x]
    across, up = ticks(min(places), max(places)), ticks(*span(figure))
    left, right = min(places), max(max(places), min(places) + 1)
    low, high = up[0], up[-1]

    def x(value: float) -> float:
        return round(LEFT + INSIDE + (RIGHT - LEFT - 2 * INSIDE) * (value - left) / (right - left), 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP - INSIDE) * (min(max(value, low), high) - low) / (high - low), 1)

    def at(a: float, b: float) -> Place:
        return x(level(figure, float(a))), y(level(figure, float(b)))

    for curve in figure.curves:
        if curve.claimed is not None:
            claimed = [at(a, b) for a, b in zip(curve.x, curve.claimed, strict=True) if math.isfinite(b)]
            drawing.lines.append(path(claimed) + ("h0" if len(claimed) == 1 else ""))
        points = zip(curve.x, curve.measured, curve.off, strict=True)
        measured = [(a, b, off) for a, b, off in points if math.isfinite(b)]
        last = -math.inf, 0.0
        for a, b, off in measured:
            if math.dist(last, here := at(a, b)) >= APART:
                (drawing.off if off else drawing.dots).append(here)
                last = here
        if curve.name and measured:
            end = at(*measured[-1][:2])
            drawing.names[end] = ", ".join(filter(None, (drawing.names.get(end), curve.name)))
    drawing.x_ticks = [(x(tick), tick_text(figure, tick)) for tick in across if left <= tick <= right]
    if drawing.x_ticks and not figure.logarithmic:
        place, first = drawing.x_ticks[0]
        drawing.x_ticks[0] = place, f"step {first}"
    drawing.y_ticks = [(y(tick), tick_text(figure, tick)) for tick in up]
    return drawing


def level(figure: Figure, value: float) -> float:
    """Return the place of a value on its axis: itself, or the power of two that it is."""
    if not figure.logarithmic:
        return value
    return max(math.log2(abs(value)), LOWEST) if value and math.isfinite(value) else LOWEST


def span(figure: Figure) -> tuple[float, float]:
    """Return the levels between which the claim's values lie, and measured ones that are not far off."""
    claimed = [level(figure, y) for c in figure.curves if c.claimed is not None for y in c.claimed]
    measured = [level(figure, y) for c in figure.curves for y in c.measured]
    known = [y for y in claimed if math.isfinite(y)] or [y for y in measured if math.isfinite(y)]
    if figure.logarithmic:
        return min(*known, *measured), max(*known, *measured)
    limit = BEYOND * max(map(abs, known)) or math.inf
    near = [y for y in (*known, *measured) if abs(y) <= limit]
    return min(0.0, *near), max(0.0, *near)


def ticks(low: float, high: float) -> list[float]:
    """Return three to six round numbers that enclose an interval.

    >>> ticks(0.0, 0.9), ticks(-44.0, 32.0)
    ([0.0, 0.5, 1.0], [-60.0, -40.0, -20.0, 0.0, 20.0, 40.0])
    """
    width = (high - low or 1.0) / 4
    unit = 10.0 ** math.floor(math.log10(width))
    size = next(unit * k for k in (1, 2, 5, 10) if unit * k >= 0.999 * width)
    first, last = math.floor(low / size + 1e-9), math.ceil(high / size - 1e-9)
    return [float(f"{k * size:.6g}") for k in range(first, max(last, first + 1) + 1)]


def tick_text(figure: Figure, tick: float) -> str:
    """Return a tick's number: the power of two that it stands for, on a logarithmic axis."""
    return f"2^{tick:.0f}" if figure.logarithmic else f"{tick:.6g}"


def describe(figure: Figure) -> str:
    """Return the content of a figure in words."""
    off = [(c, k) for c in figure.curves if c.claimed is not None for k in range(len(c.x)) if c.off[k]]
    if not off:
        known = any(curve.claimed is not None for curve in figure.curves)
        return f"{figure.about}{': all as claimed' if known else ''}"
    curve, k = off[0]
    assert curve.claimed is not None
    where = f"{curve.name}, " * bool(curve.name) + f"at {curve.x[k]:.6g}"
    return (
        f"{figure.about}: {len(off)} not as claimed, the first {where}: "
        f"{curve.measured[k]:.6g} where {curve.claimed[k]:.6g} is claimed"
    )
