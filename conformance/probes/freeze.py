"""Probes of the rules F1 to F6: absent gradients, zero gradients, flags, masks, and whose clock ticks."""

from __future__ import annotations

import numpy as np

from adamcore.conformance.probes.design import ODD, array, gradients, numbers
from adamcore.conformance.types import Probe, Step

B = [[0.5, -1.0], [-0.25, 0.5], [1.0, 0.25], [0.5, 0.5], [-1.0, 0.25], [0.25, -0.5], [0.5, 1.0], [-0.5, 0.5]]
C = [[1.0, 0.5], [0.25, -1.0], [-0.5, 0.25], [1.0, -0.25], [0.5, 0.5], [-1.0, 1.0], [0.25, 0.25], [0.5, -1.0]]
START = (array([1.0, -1.0]), array([2.0, -2.0]))
SLOW = {"lr": 0.25, "b1": 0.75, "b2": 0.9375, "eps": 0.03, "weight_decay": 0.25}


def absent(*steps: int) -> list[object]:
    """Return the gradients C with None in these steps; the first is 0."""
    return [None if s in steps else g for s, g in enumerate(C)]


def still(rows: list[list[float]]) -> list[object]:
    """Return these gradients, and zeros in their place from the fourth on."""
    return [row if s < 3 else [0.0] * len(row) for s, row in enumerate(rows)]


def present(*masks: object) -> tuple[Step, ...]:
    """Return steps with the gradients B, and C under a flag or mask with NaN where it is False."""
    steps = []
    for s, mask in enumerate(masks):
        g = np.where(np.broadcast_to(np.asarray(mask, dtype=bool), (2,)), C[s], np.nan)
        steps.append(Step((array(B[s]), array(g)), present=(True, mask)))  # type: ignore[arg-type]
    return tuple(steps)


def rows_of_zeros(*still: tuple[int, ...]) -> tuple[Step, ...]:
    """Return a gradient of three rows for each step, of which these rows are 0."""
    steps = []
    for s, rows in enumerate(still):
        g = numbers(22 + s, 3, 2)
        g[list(rows)] = 0.0
        steps.append(Step((g,)))
    return tuple(steps)


PROBES = [
    Probe("F1/absent-first", "C has no gradient in the first three steps, then it has",
          START, gradients(B, absent(0, 1, 2)), SLOW, tells=("missing", "clock")),
    Probe("F1/absent-middle", "C stands still for three steps: parameter, moments and decay",
          START, gradients(B, absent(2, 3, 4)), SLOW, tells=("missing", "clock")),
    Probe("F1/absent-alternating", "C has a gradient in every other step",
          START, gradients(B, absent(1, 3, 5, 7)), SLOW, tells=("missing", "clock")),
    Probe("F1/absent-last", "C has no gradient at the end",
          START, gradients(B, absent(5, 6, 7)), SLOW, tells=("missing",)),
    Probe("F1/absent-first-of-several", "the first parameter of the list is the one left out",
          START[::-1], gradients(absent(1, 2), B), SLOW, tells=("missing", "clock")),
    Probe("F2/zero-gradient", "a zero gradient is a gradient: momentum, decay and clock go on",
          (*START, array([1.5])), gradients(B, still(C), still([[g[0]] for g in C])), SLOW,
          tells=("decay",)),
    Probe("F2/zero-element", "one element's gradient is zero from the start: only decay moves it",
          (array([1.0, -2.0, 3.0]),),
          gradients([[0.5, 0.0, -1.0], [0.25, 0.0, 0.5], [-1.0, 0.0, 0.25]] * 2), ODD),
    Probe("F2/zeros", "parameters of 0 whose gradients are 0 at first: they stay, and then move",
          (array([0.0, 0.0]), array([[0.0]] * 3)),
          gradients([[0.0, 0.0]] * 2 + B[2:6], [[[0.0]] * 3] * 2 + [[[a], [b], [a]] for a, b in C[2:6]]),
          ODD),
    Probe("F2/zero-row", "rows of a matrix whose gradients are zero, at last all, go on by their momentum",
          (numbers(21, 3, 2),), rows_of_zeros((), (1,), (1, 2), (0,), (0, 1), (0, 1, 2)), ODD),
    Probe("F3/flag", "a flag for the whole leaf is the same as an absent gradient; NaN under it is not seen",
          START, present(True, True, False, False, True, False, True, True), SLOW,
          tells=("clock",), needs={"missing": ("skip",)}),
    Probe("F3/mask", "a mask freezes its False elements while the leaf's clock ticks",
          START, present(*(np.array(mask) for mask in (
              [True, True], [True, False], [False, False], [False, True],
              [True, True], [False, True], [True, False], [True, True]))), SLOW,
          needs={"missing": ("skip",)}),
    Probe("F5/thaw", "two parameters with different histories: each has its own bias correction",
          (*START, numbers(20, 2)), gradients(B, absent(0, 1, 2, 3, 4), absent(3, 4, 5, 6)), SLOW,
          tells=("clock",), needs={"missing": ("skip",)}),
    Probe("F5/requires-grad", "a parameter that requires no gradient until it has one, and then again none",
          (*START, numbers(20, 2)), gradients(B, absent(0, 1, 5), absent(3, 4)), SLOW,
          needs={"missing": ("skip",)}, manner="frozen"),
    Probe("F6/all-absent", "nobody has a gradient for two steps: does a global clock tick?",
          START, gradients([None if s in (2, 3) else g for s, g in enumerate(B)], absent(2, 3)), SLOW,
          tells=("all_missing",), needs={"missing": ("skip",)}),
]  # fmt: skip
