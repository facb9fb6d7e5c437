"""Two dialects side by side: their axes, their defaults, and the numbers with which one becomes the other.

The oracle computes both on one designed run, so that a statement is proved for that run.  Its gradients have
several sizes; some shrink, and some change sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import Any, Literal

import numpy as np

from adamcore import AXES, Adam
from adamcore.axes import RELATIVE
from adamcore.backends.states.fitting import differences
from adamcore.config import HYPERPARAMETERS
from adamcore.conformance.compare.rewrites import Proposal, proposals
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.types import FloatArray, Probe, Step
from adamcore.dialects import REQUIRED, Dialect, dialect

Verdict = Literal["identical", "exact", "approximate", "different"]

STEPS = 100
SAME = 1e-9  #: gap, in lr, up to which the rounding of the hyperparameters is the only reason
CLOSE = 0.1  #: gap, in lr, up to which one dialect approximates the other
FREEZE = ("missing", "clock", "all_missing")


@dataclass(frozen=True)
class Match:
    """The target's Adam that is nearest to another Adam, and the gap between them.

    Attributes:
        verdict: "identical" in the real numbers, "exact" up to the rounding of the hyperparameters,
            "approximate" if the gap stays below a tenth of lr, else "different".
        adam: the target's Adam with the numbers found.
        gaps: the largest difference of a parameter after each step, in units of lr.
        changes: what was changed, in words.
        scheduled: True if the Adam needs a schedule of the learning rate.
        lacking: the axes and hyperparameters that remain different.
    """

    verdict: Verdict
    adam: Adam
    gaps: tuple[float, ...]
    changes: tuple[str, ...] = ()
    scheduled: bool = False
    lacking: tuple[str, ...] = ()


def adam_of_row(row: Dialect, **given: Any) -> Adam:
    """Return the Adam of a row, with lr=1e-3 and weight_decay=0.01 if the row has no default for them."""
    required = {"lr": 1e-3, "weight_decay": 0.01}
    wanting = {name: required[name] for name, value in row.defaults.items() if value is REQUIRED}
    return row.adam(**{**wanting, **given})


@lru_cache(maxsize=8)
def designed_run(steps: int) -> tuple[FloatArray, tuple[FloatArray, ...]]:
    """Return the parameters and the gradients of the designed run, in float64, each of shape (8,)."""
    rng = np.random.default_rng(2026)
    scale = np.array([1.0, 1.0, 1e-2, 1e-4, 1e-6, 1e-7, 30.0, 1.0])
    drift = np.array([0.0, 0.6, 0.3, 0.0, 0.5, 0.2, 0.0, 0.0])
    grads = []
    for k in range(steps):
        fade = np.array([1, 1, 1, 1, 1, 1, 1, 0.95**k])
        grads.append(np.float32(scale * fade * (rng.normal(size=8) + drift)).astype(float))
    return np.float32(rng.normal(size=8)).astype(float), tuple(grads)


def trajectory(proposal: Proposal, steps: int, falling: bool = False) -> list[Any]:
    """Return the exact parameters after each step; ``falling``: an lr without a schedule halves midway."""
    p0, grads = designed_run(steps)
    adam = proposal.adam
    assert not callable(adam.lr)
    hyper = {name: getattr(adam, name) for name in HYPERPARAMETERS}
    schedule = proposal.schedule
    rates = {steps // 2: adam.lr / 2.0} if falling else {}
    run = tuple(
        Step((g,), lr=rates.get(t) if schedule is None else schedule(t)) for t, g in enumerate(grads, start=1)
    )
    walk = exact(adam, Probe("STEP.1/compare", "designed run", (p0,), run, hyper))
    return [step[0][0] for step in walk.steps]


def gap_series(a: Adam, b: Proposal, steps: int) -> tuple[float, ...]:
    """Return the largest difference after each step, in units of ``a``'s lr."""
    assert not callable(a.lr)
    falling = not {a.decay, b.adam.decay}.isdisjoint(RELATIVE)  # which is another kind at a constant lr
    first, second = trajectory(Proposal(a), steps, falling), trajectory(b, steps, falling)
    found = [np.abs((x.high - y.high) + (x.low - y.low)).max() for x, y in zip(first, second, strict=True)]
    return tuple(float(gap) / (a.lr or 1.0) for gap in found)


def variants(row: Dialect, a: Adam) -> Iterator[Adam]:
    """Yield the row's Adam with each combination of its options, and with ``a``'s numbers if it has them."""
    options = list(row.options.values())
    numbers = {name: getattr(a, name) for name in row.hyper}
    for count in range(len(options) + 1):
        for chosen in combinations(options, count):
            axes: dict[str, Any] = {}
            for effect in chosen:
                axes |= effect
            if count < 2 or all(axes[k] == v for effect in chosen for k, v in effect.items()):
                yield adam_of_row(row, **{**numbers, **axes})


def nearest_match(a: Adam, row: Dialect, steps: int = STEPS) -> Match:
    """Return the numbers and options with which the row comes nearest to ``a``, and the gap.

    Args:
        a: the Adam to match; its ``lr`` is a number.
        row: the target.
        steps: the length of the run that proves it.
    """
    wanted = min(variants(row, a), key=lambda b: len(differences(a, b)))
    best: Match | None = None
    for proposal in proposals(a, wanted):
        unnamed = [n for n in HYPERPARAMETERS if n not in row.hyper]
        if any(getattr(proposal.adam, n) != getattr(wanted, n) for n in unnamed):
            continue  # a number that the target has no name for
        found = gap_series(a, proposal, steps)
        size = max(found)
        verdict: Verdict = (
            "identical"
            if size < 1e-25
            else "exact"
            if size < SAME
            else "approximate"
            if size < CLOSE
            else "different"
        )
        lacking = tuple(differences(a, proposal.adam)) if verdict in ("approximate", "different") else ()
        new = Match(verdict, proposal.adam, found, proposal.changes, proposal.schedule is not None, lacking)
        if best is None or size < 0.5 * max(best.gaps):
            best = new
    assert best is not None
    return best


@dataclass(frozen=True)
class Comparison:
    """The result of ``adamcore compare``."""

    names: tuple[str, str]
    adams: tuple[Adam, Adam]
    axes: dict[str, tuple[object, object]]  #: the axes in which they differ
    defaults: dict[str, tuple[float | None, float | None]]
    default_gaps: tuple[float, ...]  #: the gaps with the defaults of each and the same lr
    second_as_first: Match  #: the numbers with which the second becomes the first
    first_as_second: Match  #: the numbers with which the first becomes the second
    freezing: tuple[str, ...]  #: different axes that have an effect only if gradients are absent


def compare(first: str, second: str, *, steps: int = STEPS, **given: Any) -> Comparison:
    """Compare two dialects.

    Args:
        first: a row of the table of dialects.
        second: another row.
        steps: the length of the runs.
        given: hyperparameters of both, such as ``weight_decay=0.1``.

    Raises:
        DialectError: no such row.
        HyperparameterError: a hyperparameter is out of its range.

    Example:
        >>> compare("torch.AdamW", "optax.adamw", steps=5).second_as_first.verdict
        'identical'
    """
    rows = dialect(first), dialect(second)
    lr = given.get("lr", adam_of_row(rows[0]).lr)
    a, b = (
        adam_of_row(row, **{**{k: v for k, v in given.items() if k in row.hyper}, "lr": lr}) for row in rows
    )
    return Comparison(
        (first, second),
        (a, b),
        {x: (getattr(a, x), getattr(b, x)) for x in AXES if getattr(a, x) != getattr(b, x)},
        {
            n: (rows[0].default(n), rows[1].default(n))
            for n in HYPERPARAMETERS
            if n in rows[0].hyper or n in rows[1].hyper
        },
        gap_series(a, Proposal(b), steps),
        nearest_match(a, rows[1], steps),
        nearest_match(b, rows[0], steps),
        tuple(x for x in FREEZE if getattr(a, x) != getattr(b, x)),
    )


def arguments_of(adam: Adam, row: Dialect) -> dict[str, Any]:
    """Return the arguments of the row's constructor for an Adam, apart from axes of absent gradients."""
    own = adam_of_row(row)
    quiet = {x: getattr(own, x) for x in (*FREEZE, "coefficients", "complex")}
    return row.arguments(replace(adam, **quiet))
