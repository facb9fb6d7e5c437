"""Rewrites: hyperparameters that may undo the difference of two Adams on one axis.

A rewrite only makes proposals.  :mod:`adamcore.conformance.compare.compare` runs each one, so that the oracle
proves or refutes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, NamedTuple

from adamcore import Adam
from adamcore.backends.states.fitting import differences
from adamcore.coefficients import Host
from adamcore.definition import coefficients

Schedule = Callable[[int], float]  #: the learning rate of step t


@dataclass(frozen=True)
class Proposal:
    """Numbers for the target, and a schedule if they need one."""

    adam: Adam
    schedule: Schedule | None = None
    changes: tuple[str, ...] = ()  #: what was changed, in words


class Change(NamedTuple):
    """A change of hyperparameters: their new values, the maker of a schedule or None, and a description."""

    numbers: dict[str, Any]
    schedule: Callable[[Adam, float], Schedule] | None
    text: str


@dataclass(frozen=True)
class Rewrite:
    """The changes that may undo a difference on one axis."""

    axis: str
    changes: Callable[[Adam, Adam], list[Change]] = field(repr=False)


def epsilon_changes(a: Adam, b: Adam) -> list[Change]:
    """Return changes between eps and eps-hat, and between eps beside and under the root."""
    first = math.sqrt(1.0 - a.b2)
    if a.epsilon == "inside-corrected" and b.epsilon == "outside-corrected":
        return [Change({"eps": 0.0, "eps_root": a.eps}, None, "eps under the root is eps_root, with eps=0")]
    if a.epsilon == "outside-corrected" and b.epsilon == "inside-corrected" and not a.eps and a.eps_root:
        return [Change({"eps": a.eps_root, "eps_root": 0.0}, None, "eps_root alone is eps under the root")]
    if a.epsilon[0] != b.epsilon[0]:
        power = 2.0 if a.epsilon.startswith("outside") else 0.5
        return [Change({"eps": a.eps**power}, None, "eps under the root as the square of eps beside it")]
    factor = first if b.epsilon.endswith("uncorrected") else 1.0 / first
    return [
        Change({}, None, "the same eps, right once 1-b2**t is near 1"),
        Change({"eps": a.eps * factor}, None, "eps so that the first step agrees"),
    ]


def correction_changes(a: Adam, b: Adam) -> list[Change]:
    """Return changes for a missing bias correction, one of them a schedule."""

    def schedule(start: Adam, lr: float) -> Schedule:
        def at(t: int) -> float:
            both = [
                coefficients(Host(), replace(x, weight_decay=0.0, nesterov="none"), t, lr) for x in (start, b)
            ]
            ours, theirs = (c.step_m / (1.0 if c.over_root is None else c.over_root) for c in both)
            return float(lr * ours / theirs)

        return at

    return [
        Change({}, None, "as it is, right once the corrections are near 1"),
        Change({}, schedule, "the corrections as a schedule of the learning rate"),
    ]


def decay_changes(a: Adam, b: Adam) -> list[Change]:
    """Return changes between a decay that is multiplied by lr and one that is not."""
    assert not callable(a.lr)
    kinds = a.decay, b.decay
    if kinds == ("decoupled", "decoupled-unscaled"):
        scaled = a.lr * a.weight_decay
        return [Change({"weight_decay": scaled}, None, "weight_decay times lr (for a constant lr)")]
    if kinds == ("decoupled-unscaled", "decoupled") and a.lr:
        scaled = a.weight_decay / a.lr
        return [Change({"weight_decay": scaled}, None, "weight_decay over lr (for a constant lr)")]
    return [Change({}, None, "the same weight_decay")]


def order_changes(a: Adam, b: Adam) -> list[Change]:
    """Return changes between a decay of the old parameter and one of the updated parameter."""
    assert not callable(a.lr)
    fraction = a.lr * a.weight_decay
    if a.decay == b.decay == "decoupled" and fraction < 1.0:
        factor = 1.0 - fraction
        if a.decay_order == "before":
            factor = 1.0 / factor
        text = "lr and weight_decay so that both factors agree (for a constant lr)"
        return [Change({"lr": a.lr * factor, "weight_decay": a.weight_decay / factor}, None, text)]
    return [Change({}, None, "the same numbers")]


REWRITES = (
    Rewrite("decay", decay_changes),
    Rewrite("decay_order", order_changes),
    Rewrite("epsilon", epsilon_changes),
    Rewrite("bias_correction", correction_changes),
)


def proposals(a: Adam, b: Adam) -> Iterator[Proposal]:
    """Yield numbers with which ``b``, an Adam of the target's axes with ``a``'s numbers, may become ``a``."""
    found = set(differences(a, b))
    lists = [[Change({}, None, ""), *r.changes(a, b)] for r in REWRITES if r.axis in found]
    seen: set[tuple[Any, ...]] = set()
    for chosen in product(*lists):
        numbers = {name: value for change in chosen for name, value in change.numbers.items()}
        makers = [change.schedule for change in chosen if change.schedule is not None]
        key = (tuple(sorted(numbers.items())), bool(makers))
        if key in seen:
            continue
        seen.add(key)
        new = replace(b, **numbers)
        assert not callable(new.lr)
        yield Proposal(
            new,
            makers[0](a, new.lr) if makers else None,
            tuple(change.text for change in chosen if change.text),
        )
