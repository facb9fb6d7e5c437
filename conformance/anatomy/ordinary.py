"""Small runs that differ from an ordinary one in one thing, and what is read off them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.conformance.anatomy.experiments import LARGE, TINY, experiment
from adamcore.conformance.anatomy.measured import Measured
from adamcore.conformance.anatomy.readings import Readings
from adamcore.conformance.types import Layout, Probe, Start

PATTERN = np.array([1.0, -0.5, 2.0, 0.75, -1.5, 0.25, 3.0, -1.25])
SHAPES: tuple[tuple[int, ...], ...] = ((1,), (2,), (3,), (9,), (37,), (130,), (200,), (2, 3), (1,))
LENGTHS = (2, 5, 67, 300)  #: of the arrays that are stepped in both orders
LAYOUTS: tuple[Layout, ...] = ("F", "strided", "offset", "reversed")
STEPS = 5
UNIT_STEPS, LONG_STEPS = 40, 300
ZERO_PATTERNS = ((1, 0, 0, 0, 1), (0, 0, 0, 1, 1))  #: where "zeros" has gradients
CLOCKS = (127, 255, 999, 2047, 32767, 65535, 999_999, 2**24)
"""Where counters of few bits end, and before round numbers of steps."""
SCHEDULED = 2**18  #: steps after which the momentum of NAdam's schedule is b1 itself
VISIBLE = 2.0**-12  #: tiny gradients in the place of zeros change steps by less


def course(shapes: Sequence[tuple[int, ...]], steps: int = STEPS, size: float = 1.0) -> list[list[Any]]:
    """Return ordinary gradients for arrays of these shapes."""
    return [
        [
            size * PATTERN[(3 * t + i + np.arange(int(np.prod(s)))) % 8].reshape(s)
            for i, s in enumerate(shapes)
        ]
        for t in range(steps)
    ]


def moves(r: Readings, names: Sequence[str]) -> Measured:
    """Return all moves of the last of these runs."""
    count = len(r.probes[names[-1]].params)
    parts = [r.moves(names[-1], i) for i in range(count)]
    return joined(parts)


def joined(parts: Sequence[Measured]) -> Measured:
    return Measured(
        np.concatenate([p.value.ravel() for p in parts]), np.concatenate([p.error.ravel() for p in parts])
    )


def against_plain(r: Readings, names: Sequence[str]) -> Measured:
    """Return where the moves of the last run are not those of the first, bit for bit."""
    last, first = moves(r, names[-1:]).value, moves(r, names[:1]).value
    return Measured((last != first) & ~(np.isnan(last) & np.isnan(first)))


def ordinary(name: str, about: str, p: float = 1.0, **levers: float) -> Probe:
    shapes = [(4,), (3,)]
    return experiment(name, about, [np.full(s, p) for s in shapes], course(shapes), **levers)


def borrowed(r: Readings, names: Sequence[str]) -> Measured:
    """Return 1 if the corrections under other betas are those of the betas of the run before, else 0."""
    moved = r.moves("others")[:, 0] / (r.hyper("lr", "others") * TINY) * r.hyper("eps", "others")
    main = r.first_sums[:8]
    b, other = r.hyper("b1"), r.hyper("b1", "others")
    t = np.arange(1, 9)
    ratio = Measured((1.0 - other**t) / (1.0 - b**t))
    corrected = main.all_equal(main[:1]) and bool(np.all(np.isfinite(main.value) & (main.value != 0)))
    return Measured([float(b != other and corrected and moved.all_equal(main * ratio))])


def matrix(r: Readings, names: Sequence[str]) -> Measured:
    """Return the moves of the array with two dimensions."""
    return r.moves(names[-1], 0)


def uniform(name: str = "sizes", size: float = 1.0, **levers: float) -> Probe:
    """Arrays of several sizes whose elements all have the same gradients."""
    rows = [[np.full(shape, size * PATTERN[t]) for shape in SHAPES] for t in range(4)]
    about = "equal elements in arrays of several sizes"
    return experiment(name, about, [np.ones(s) for s in SHAPES], rows, **levers)


def unevenness(r: Readings, names: Sequence[str]) -> Measured:
    """Return by what the moves of an array's elements differ from those of its first element."""
    every = [r.moves(names[0], i) for i in range(len(SHAPES))]
    return joined([apart(moved, moved[:, :1]) for moved in every])


def dependence_on_size(r: Readings, names: Sequence[str]) -> Measured:
    """Return by what the moves of an array's first element differ from those of an array of one, in each run.

    If the last array, which has one element as the first, differs from it, the place of an array counts.
    """
    found = []
    for name in names:
        every = [r.moves(name, i)[:, 0] for i in range(len(SHAPES))]
        first = every[0]
        alike = every[-1].all_equal(first)
        found += [apart(moved, first if alike else moved) for moved in every]
    return joined(found)


def is_independent_of_size(r: Readings, name: str) -> bool:
    """True if arrays of all sizes and shapes are stepped alike in one of these runs."""
    return not r.why_not(name) and dependence_on_size(r, [name]).all_equal(0.0)


def in_order(name: str, way: int) -> Probe:
    """Arrays whose elements have gradients of their own, from the first to the last or the other way."""
    rows = []
    for t in range(3):
        sizes = (
            2.0 ** ((3 * t + 5 * np.arange(n)) % 13 - 6.0) * (-1.0) ** (np.arange(n) // 3) for n in LENGTHS
        )
        rows.append([g[::way] for g in sizes])
    return experiment(name, "elements in one order or the opposite", [np.ones(n) for n in LENGTHS], rows)


def dependence_on_order(r: Readings, names: Sequence[str]) -> Measured:
    """Return by what the moves of elements differ from those of the same elements in the opposite order."""
    pairs = ([r.moves(name, i) for name in names] for i in range(len(LENGTHS)))
    return joined([apart(one, other[:, ::-1]) for one, other in pairs])


def twins() -> Probe:
    """Arrays of one shape, of which one has gradients of zero, and arrays of other shapes."""
    rows = [[g, np.zeros(3), -2.0 * g, np.zeros(2), -2.0 * g[:, None]] for (g,) in course([(3,)])]
    return experiment("twins", "arrays of the same shape, one without any gradient but 0",
                      [np.zeros(3)] * 3 + [np.zeros(2), np.zeros((3, 1))], rows)  # fmt: skip


def crosstalk(r: Readings, names: Sequence[str]) -> Measured:
    """Return by what an array without gradients moves more if others have its shape."""
    return known(r.moves("twins", 1)[:, :2] - r.moves("twins", 3))


def coupling(r: Readings, names: Sequence[str]) -> Measured:
    """Return by what the moves of an array differ from those of one of a shape that no other has."""
    return apart(r.moves("twins", 2), r.moves("twins", 4))


def apart(one: Measured, other: Measured) -> Measured:
    """Return by what two moves differ: by 1 if one of them alone is finite, not at all if none is."""
    difference = known(one - other)
    alone = np.isfinite(one.value) != np.isfinite(other.value)
    return Measured(np.where(alone, 1.0, difference.value), np.where(alone, 0.0, difference.error))


def known(measured: Measured) -> Measured:
    """Return the values with 0 in the place of those that are not finite."""
    there = np.isfinite(measured.value)
    return Measured(np.where(there, measured.value, 0.0), np.where(there, measured.error, 0.0))


def zeros() -> Probe:
    """Arrays whose gradients are 0 between others or before them, and arrays with tiny ones there."""
    rows = []
    for t in range(STEPS):
        row = [np.ones(1)]  # the first array may be one of its own
        for pattern in ZERO_PATTERNS:
            for size, dust in ((TINY, 2.0**-24), (LARGE, 2.0**-100)):
                row += [np.full(1, size * (pattern[t] or other)) for other in (0.0, dust, -dust)]
        rows.append(row)
    return experiment("zeros", "whole arrays of zeros, and of what is nearly 0", [np.zeros(1)] * 13, rows)


def zero_against_dust(r: Readings, names: Sequence[str]) -> Measured:
    """Return by what steps change if gradients are 0 and not tiny; where both are, nothing is compared."""
    return joined([changed(r, 3 * k + 2, 3 * k + 1, since) for k, since in enumerate((0, 0, 4, 4))])


def opposed(r: Readings, names: Sequence[str]) -> Measured:
    """Return by what steps change if tiny gradients have the opposite sign of those before."""
    return joined([changed(r, 3 * k + 2, 3 * k + 3, 0) for k in range(2)])


def changed(r: Readings, one: int, other: int, since: int) -> Measured:
    """Return by what share the steps of two arrays of "zeros" differ visibly, from a step on."""
    steps, others = (r.moves("zeros", i).value[since:] for i in (one, other))
    with np.errstate(all="ignore"):
        off = np.abs(others / steps - 1.0)
    small = np.abs(steps) < VISIBLE * np.max(np.abs(steps))
    lost = np.isfinite(steps) != np.isfinite(others)
    return Measured(np.where((off >= VISIBLE) & ~small & np.isfinite(off), off, 1.0 * lost))


def shared() -> Probe:
    """An array of which one element alone has gradients."""
    rows = [[np.array([1.0, 0.0, 0.0, 0.0, 0.0]) * g, np.zeros(1)] for g in PATTERN[:STEPS]]
    about = "one element has gradients, those beside it have none"
    return experiment("shared", about, [np.zeros(5), np.zeros(1)], rows)


def spread(r: Readings, names: Sequence[str]) -> Measured:
    """Return by what elements without gradients move more than an array of one such element."""
    return known(r.moves("shared")[:, 1:] - r.moves("shared", 1))


def unit(name: str = "unit", steps: int = UNIT_STEPS) -> Probe:
    """Constant gradients where nothing is averaged and nothing corrected: each step is lr times the same."""
    rows = [[np.full(1, g) for g in (TINY, LARGE, LARGE * (t % 2), 0.0)] for t in range(steps)]
    about = "no averages: what multiplies a step"
    return experiment(name, about, [[0.0], [0.0], [0.0], [1.0]], rows, b1=0.0, b2=0.0)


def factors(r: Readings, names: Sequence[str]) -> Measured:
    """Return what multiplies each step, by that of the last one, if it is that of all gradients."""
    tiny, large, every_other, still = (r.moves("unit", i)[:, 0] for i in range(4))
    factor = large / large[UNIT_STEPS - 1]
    averages = r.hyper("b1", "unit") or r.hyper("b2", "unit") or bool(np.any(every_other.value[:-1:2]))
    same = factor.all_equal(tiny / tiny[UNIT_STEPS - 1]) and large[1::2].all_equal(every_other[1::2])
    if averages or not same or not np.all(np.isfinite(factor.value)) or np.any(still.value):
        return Measured(np.ones(UNIT_STEPS))
    return factor


def nothing(r: Readings, names: Sequence[str]) -> Measured:
    """Return no numbers: the run is read where a late step is not as claimed."""
    return Measured([])


def with_lr(name: str, about: str, rates: Mapping[int, float], **levers: float) -> Probe:
    probe = longer(name, about, **levers)
    steps = [replace(s, lr=rates[t]) if t in rates else s for t, s in enumerate(probe.steps, start=1)]
    return replace(probe, steps=tuple(steps))


def longer(name: str, about: str, **levers: float) -> Probe:
    return experiment(name, about, [np.ones(4)] * 2, course([(4,), (4,)], 8, 2.0), **levers)


def with_changes(name: str, about: str, **changes: float) -> Probe:
    """New hyperparameters in step 4; new betas without decay, so that steps tell the moments alone."""
    probe = longer(name, about, weight_decay=0.0 if "b1" in changes else 0.25)
    steps = [replace(s, changes=changes) if t == 4 else s for t, s in enumerate(probe.steps, start=1)]
    return replace(probe, steps=tuple(steps))


def with_groups(name: str, about: str, *groups: Mapping[str, float]) -> Probe:
    probe = ordinary(name, about, weight_decay=0.25)
    return replace(probe, groups=tuple(groups))


def lacking() -> Probe:
    """Three arrays, of which the first and the last lack gradients in steps of their own."""
    shapes = [(2,)] * 3
    rows = course(shapes, 7)
    for t, row in enumerate(rows, start=1):
        row[0] = None if t in (3, 4) else row[0]
        row[1] = row[1] * 4.0
        row[2] = None if t in (1, 2, 6) else row[2]
    return experiment("lacking", "gradients that are absent before others", [np.ones(2)] * 3, rows)


def not_finite(name: str, about: str, value: float) -> Probe:
    rows = course([(3,), (2,)])
    rows[1][0] = np.array([1.0, value, -1.0])
    return experiment(name, about, [np.ones(3), np.ones(2)], rows)


def spoiled(r: Readings, names: Sequence[str]) -> Measured:
    """Return which parameters are no numbers after each step; those of the arrays beside count alone."""
    after = [r.positions(names[-1], i)[1:] for i in range(2)]
    return Measured(np.concatenate([np.isfinite(p).ravel().astype(float) for p in after]))


def as_array(shape: tuple[int, ...], name: str, about: str, **levers: float) -> Probe:
    return experiment(name, about, [np.ones(shape), np.ones(2)], course([shape, (2,)]), **levers)


def in_layout(layout: Layout) -> Probe:
    """Arrays of two dimensions and of one, in a layout."""
    shapes = [(3, 4), (6,)]
    about = f"arrays that lie in memory otherwise: {layout}"
    probe = experiment(f"layout-{layout}", about, [np.ones(s) for s in shapes], course(shapes))
    return replace(probe, layout=layout)


def from_clock(t: int) -> Probe:
    """Steps from a given state, with averages that are slow enough for the corrections to tell the clock."""
    name, about = f"clock-{t}", f"steps after step {t}"
    b1 = 1.0 - 1.0 / t
    probe = experiment(name, about, [np.ones(4)], course([(4,)], 4), b1=b1, b2=1.0 - 0.5 / t)
    one = np.array([1.0, -0.5, 0.25, 2.0])
    schedule = 1.0 - 0.5 * 0.96 ** (np.arange(1, min(t, SCHEDULED) + 1) * Adam().momentum_decay)
    return replace(probe, start=(Start(t, one, one * one, one * one, float(b1**t * np.prod(schedule))),))


def burst() -> Probe:
    """Large gradients after many tiny ones: updates far larger than lr."""
    sizes = np.array([1.0, -0.75, 0.5, 0.25, -0.125])
    about = "large gradients after tiny ones: updates up to some fifty times lr"
    small = np.full(5, 2.0**-20)
    start = Start(10_000, 0.0 * small, small, small, 0.0)
    probe = experiment("burst", about, [np.ones(5)], [[g * sizes] for g in (1.0, 0.5)], b1=0.5, b2=0.9999)
    return replace(probe, hyper=dict(probe.hyper) | {"eps": 2.0**-20}, start=(start,))


PLAIN = ordinary("plain", "an ordinary run")
OTHERS = experiment(
    "others", "constant gradients under other betas", [np.zeros(1)], [[np.full(1, TINY)]] * 8, b1=0.5, b2=0.75
)
WHOLE = longer("whole", "an uninterrupted run")
