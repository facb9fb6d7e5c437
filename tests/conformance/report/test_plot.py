"""The plot of a probe: the error above the bound where it fails."""

from __future__ import annotations

import math
import re

from reports import BEYOND, LONG, STILL, WITHIN

from adamcore.conformance.report.plot import BOTTOM, POINTS, TOP, plot
from adamcore.conformance.types import Point


def test_plot_has_the_error_above_the_bound_where_it_fails() -> None:
    drawn = plot(BEYOND)
    assert drawn is not None
    bound = [int(y) for _, y in re.findall(r"(\d+) (\d+)", drawn.bound)]
    error = [int(y) for _, y in re.findall(r"(\d+) (\d+)", drawn.error)]
    assert [e < b for e, b in zip(error, bound, strict=True)] == [False, True, True]  # y grows downwards
    assert [(x, y) for x, y in drawn.dots[1:]] == drawn.beyond
    assert all(TOP <= y <= BOTTOM for y in bound + error)


def test_plot_of_odd_series() -> None:
    assert plot([]) is None
    assert plot([Point(0.0, 0.0, 0.0)] * 3) is None  # all stood still
    moved = plot(STILL)
    assert moved is not None
    assert (moved.bound, len(moved.beyond)) == ("", 1)
    nowhere = plot([*WITHIN, Point(math.inf, math.nan, 4.0), Point(math.inf, math.inf, 4.0)])
    assert nowhere is not None
    assert [y for _, y in nowhere.beyond] == [TOP, TOP]
    long = plot(LONG)
    assert long is not None
    assert long.error.count(" ") <= POINTS
    assert "300 steps; worst in step 300" in long.label
