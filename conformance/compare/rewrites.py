"""Which numbers make one Adam of another: a proposal for each difference, proved or refuted by the oracle.

A rewrite answers "on this axis the target does otherwise: which hyperparameters undo it?".  None of
them is believed: :mod:`adamcore.conformance.compare.compare` runs what they propose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from adamcore import Adam
from adamcore.backends.states.fitting import differences
from adamcore.coefficients import Host
from adamcore.definition import coefficients

Schedule = Callable[[int], float]  #: t -> lr


@dataclass(frozen=True)
class Proposal:
    """Numbers for the target, and if need be a schedule."""

    adam: Adam
    schedule: Schedule | None = None
    said: tuple[str, ...] = ()  #: what was changed, in words


Change = tuple[dict[str, Any], Callable[[Adam, float], Schedule] | None, str]


@dataclass(frozen=True)
class Rewrite:
    """How a difference on one axis may be undone."""

    axis: str
    changes: Callable[[Adam, Adam], list[Change]] = field(repr=False)


def epsilon_changes(a: Adam, b: Adam) -> list[Change]:
    """Between eps and eps-hat, and between beside and under the root."""
    first = math.sqrt(1.0 - a.b2)
    if (
        a.epsilon.startswith("inside")
        and b.epsilon == "outside-corrected"
        and a.epsilon == "inside-corrected"
    ):
        return [({"eps": 0.0, "eps_root": a.eps}, None, "eps under the root is eps_root, with eps=0")]
    if a.epsilon == "outside-corrected" and b.epsilon == "inside-corrected" and not a.eps and a.eps_root:
        return [({"eps": a.eps_root, "eps_root": 0.0}, None, "eps_root alone is eps under the root")]
    if a.epsilon[0] != b.epsilon[0]:
        power = 2.0 if a.epsilon.startswith("outside") else 0.5
        return [({"eps": a.eps**power}, None, "eps under the root as the square of eps beside it")]
    factor = first if b.epsilon.endswith("uncorrected") else 1.0 / first
    return [
        ({}, None, "the same eps, right once 1-b2**t is near 1"),
        ({"eps": a.eps * factor}, None, "eps so that the first step agrees"),
    ]


def correction_changes(a: Adam, b: Adam) -> list[Change]:
    """A bias correction that is not there, as a schedule."""

    def schedule(start: Adam, lr: float) -> Schedule:
        def at(t: int) -> float:
            both = [
                coefficients(Host(), replace(x, weight_decay=0.0, nesterov="none"), t, lr) for x in (start, b)
            ]
            ours, theirs = (c.step_m / (1.0 if c.over_root is None else c.over_root) for c in both)
            return float(lr * ours / theirs)

        return at

    return [
        ({}, None, "as it is, right once the corrections are near 1"),
        ({}, schedule, "the corrections as a schedule of the learning rate"),
    ]


def decay_changes(a: Adam, b: Adam) -> list[Change]:
    """Between a decay times lr and one not times lr."""
    assert not callable(a.lr)
    kinds = a.decay, b.decay
    if kinds == ("decoupled", "decoupled-unscaled"):
        return [({"weight_decay": a.lr * a.weight_decay}, None, "weight_decay times lr (for a constant lr)")]
    if kinds == ("decoupled-unscaled", "decoupled") and a.lr:
        return [({"weight_decay": a.weight_decay / a.lr}, None, "weight_decay over lr (for a constant lr)")]
    return [({}, None, "the same weight_decay")]


def order_changes(a: Adam, b: Adam) -> list[Change]:
    """Between a decay of the old parameter and one of the updated."""
    assert not callable(a.lr)
    fraction = a.lr * a.weight_decay
    if a.decay == b.decay == "decoupled" and fraction < 1.0:
        factor = 1.0 - fraction
        if a.decay_order == "before":
            factor = 1.0 / factor
        said = "lr and weight_decay so that both factors agree (for a constant lr)"
        return [({"lr": a.lr * factor, "weight_decay": a.weight_decay / factor}, None, said)]
    return [({}, None, "the same numbers")]


REWRITES = (
    Rewrite("decay", decay_changes),
    Rewrite("decay_order", order_changes),
    Rewrite("epsilon", epsilon_changes),
    Rewrite("bias_correction", correction_changes),
)


def proposals(a: Adam, b: Adam) -> Iterator[Proposal]:
    """Numbers with which ``b``, an Adam of the target's axes with ``a``'s numbers, may be ``a``."""
    found = set(differences(a, b))
    lists = [[({}, None, ""), *r.changes(a, b)] for r in REWRITES if r.axis in found]
    seen: set[tuple[Any, ...]] = set()
    for chosen in product(*lists):
        numbers = {name: value for change, _, _ in chosen for name, value in change.items()}
        makers = [maker for _, maker, _ in chosen if maker is not None]
        key = (tuple(sorted(numbers.items())), bool(makers))
        if key in seen:
            continue
        seen.add(key)
        new = replace(b, **numbers)
        assert not callable(new.lr)
        yield Proposal(
            new, makers[0](a, new.lr) if makers else None, tuple(text for *_, text in chosen if text)
        )
