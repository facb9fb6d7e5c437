"""The plot of a measured part: dots on the line where it is as claimed, crosses where it is not."""

from __future__ import annotations

import math

import numpy as np
from measured_adams import eps_inside

from adamcore.conformance.report.figure_plot import Drawing, draw, ticks
from adamcore.conformance.report.figures import Curve, Figure, figures_of
from adamcore.conformance.report.plot import BOTTOM, LEFT, RIGHT, TOP


def drawn(measured: list[float], claimed: list[float] | None, off: list[bool]) -> Drawing:
    x = np.arange(1.0, len(measured) + 1)
    theirs = None if claimed is None else np.array(claimed)
    return draw(Figure("A", "b", [Curve("m", x, np.array(measured), theirs, np.array(off))]))


def test_what_is_as_claimed_lies_on_the_line() -> None:
    said = drawn([0.2, 0.5, 0.9], [0.2, 0.5, 0.9], [False] * 3)
    [line] = said.lines
    assert line == "M" + "L".join(f"{x} {y}" for x, y in said.dots)
    assert said.off == []
    assert [text for _, text in said.y_ticks] == ["0", "0.5", "1"]
    assert said.label == "b: all as claimed"
    assert list(said.names.values()) == ["m"]


def test_what_is_not_as_claimed_is_a_cross_beside_it() -> None:
    said = drawn([0.2, 0.5, 0.1], [0.2, 0.5, 0.9], [False, False, True])
    assert (len(said.dots), len(said.off)) == (2, 1)
    assert said.label == "b: 1 not as claimed, the first m, at 3: 0.1 where 0.9 is claimed"


def test_every_coordinate_is_inside() -> None:
    """Far off, infinite, or not measured at all."""
    said = drawn([1e9, math.inf, math.nan, -1e9, 0.1], [0.2, math.nan, 0.2, 0.2, 0.1], [True] * 4 + [False])
    assert len(said.off) == 2
    for x, y in (*said.off, *said.dots, *said.names):
        assert LEFT <= x <= RIGHT
        assert TOP <= y <= BOTTOM


def test_curves_that_end_in_one_place_share_a_name() -> None:
    same = np.ones(3)
    curves = [Curve(name, np.arange(3.0), same, same, same == 0) for name in "mv"]
    assert list(draw(Figure("A", "b", curves)).names.values()) == ["m, v"]


def test_without_a_claim_there_are_dots_alone() -> None:
    said = drawn([0.0, 0.0], None, [False] * 2)
    assert said.lines == []
    assert len(said.dots) == 2
    assert said.label == "b"


def test_powers_of_two_stand_on_both_axes_of_epsilon() -> None:
    [epsilon] = [draw(figure) for figure in figures_of(eps_inside()) if figure.logarithmic]
    assert {text[:2] for _, text in (*epsilon.x_ticks, *epsilon.y_ticks)} == {"2^"}
    assert epsilon.off
    assert epsilon.dots, "far above eps it is as claimed"


def test_ticks_enclose_what_they_measure() -> None:
    for low, high in ((0.0, 1e-7), (-3.0, 4.0), (0.0, 0.0), (-44.0, 32.0), (0.0, 12345.0)):
        places = ticks(low, high)
        assert places[0] <= low
        assert places[-1] >= high
        assert 2 <= len(places) <= 7
        assert places == sorted(set(places))
